"""After all rules: what the command line asks for is what some rule makes."""

try:
    check_products(
        TARGETS,
        [output for rule in workflow.rules for output in rule.products()],
        places={key: config[key] for key in ("results_dir", "data_dir")},
        files=list(target_files(PLAN).values()),
    )
except UserError as error:
    raise WorkflowError(str(error))
