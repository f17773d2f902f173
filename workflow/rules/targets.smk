"""Named targets: a study, one table, one figure."""

for study in REPORT.studies:

    rule:
        name:
            study
        input:
            REPORT.files(study),


for product in REPORT.products:

    rule:
        name:
            product
        input:
            REPORT.file(product),
