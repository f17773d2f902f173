"""Named targets: a study, one table, one figure."""

for study in PLAN.studies:

    rule:
        name:
            study
        input:
            study_files(PLAN, study),


for name, file in target_files(PLAN).items():

    rule:
        name:
            name
        input:
            file,


rule datasets_table:
    input:
        PLAN.paths.table("datasets"),
