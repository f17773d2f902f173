"""After all rules: what the command line asks for is what some rule makes."""

try:
    check_products(
        TARGETS,
        all_products(workflow),
        places={key: config[key] for key in ("results_dir", "data_dir")},
        files=REPORT.all_files,
    )
except UserError as error:
    raise WorkflowError(str(error))
