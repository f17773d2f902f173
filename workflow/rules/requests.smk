"""After all rules: what is asked for is what some rule makes, and no other run is at work."""

try:
    if STORAGE:
        if workflow.is_main_process and not is_module(workflow):
            check_storage(PLAN, TARGETS)
    else:
        check_products(
            TARGETS,
            all_products(workflow),
            places={key: config[key] for key in ("results_dir", "data_dir")},
            files=list(target_files(PLAN).values()),
        )
        if plans_jobs(workflow, sys.argv):
            check_kinds(config["results_dir"], *product_paths(workflow))
    # Before Snakemake looks at the results: what another run makes meanwhile would be made again.
    if starts_run(workflow, sys.argv):
        hold_results(config["results_dir"])
except UserError as error:
    sys.exit(f"fedssl: {error}")
