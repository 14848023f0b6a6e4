"""``wage-panel``: 545 young men of the National Longitudinal Survey of Youth, 1980-87, as linearmodels ships them.

Vella and Verbeek (1998), "Whose Wages Do Unions Raise? A Dynamic Model of Unionism and Wage Rate Determination for
Young Men", Journal of Applied Econometrics 13, 163-183. Every man works in every year: nobody leaves the labor force.
"""

from __future__ import annotations

from importlib.metadata import distribution

import numpy as np

from harness.hookspecs import hookimpl
from harness.model.contract import NoParams
from harness.model.dataset import DatasetSpec
from harness.panel.careers import Covariate, Panel, split_by_hash
from harness.panel.occupations import Occupations, Status

# The categories OCC1 to OCC9 of the file in the journal's data archive; there are no finer ones.
OCCUPATION_TITLES = (
    "Professional, technical and kindred",
    "Managers, officials and proprietors",
    "Sales workers",
    "Clerical and kindred",
    "Craftsmen, foremen and kindred",
    "Operatives and kindred",
    "Laborers and farmers",
    "Farm laborers and foremen",
    "Service workers",
)
LEFT_OUT = {
    "columns about the job of the year itself, known no sooner than the outcome (hours, lwage, union)": 3,
    "columns that follow from age and schooling (exper, expersq)": 2,
}


def _columns() -> dict[str, np.ndarray]:
    """Columns of the file that linearmodels ships, [4360] each, by man and year.

    The file alone is read: to import linearmodels takes several seconds.
    """
    from pyarrow import csv

    from harness.data.tables.columns import numpy_values

    path = distribution("linearmodels").locate_file("linearmodels/datasets/wage_panel/wage_panel.csv.bz2")
    table = csv.read_csv(str(path))
    columns = {name: numpy_values(table.column(name).combine_chunks())[0] for name in table.column_names}
    order = np.lexsort([columns["year"], columns["nr"]])
    return {name: values[order] for name, values in columns.items()}


def load(params: NoParams) -> Panel:
    """4,360 person-years. Covariates are what is known of the man and not of that year's job.

    Experience in the file is age - 6 - years of schooling, which gives the year of birth: 1957 to 1963, as the survey's
    design has it. Wage, hours and union membership describe the job that is to be predicted, so they are left out.
    """
    from harness.data.covariates import is_fixed

    table = _columns()
    persons, start = np.unique(table["nr"], return_index=True)
    first = np.zeros(len(table["nr"]), dtype=bool)
    first[start] = True
    codes = tuple(str(code) for code in range(1, len(OCCUPATION_TITLES) + 1))
    ids = persons.astype(str)

    def categorical(values: np.ndarray, levels: tuple[str, ...]) -> Covariate:
        return Covariate("categorical", values.astype(np.int32), levels, is_fixed(values, first))

    def numeric(values: np.ndarray) -> Covariate:
        return Covariate("numeric", values.astype(np.float64), (), is_fixed(values, first))

    schooling = table["educ"]
    ethnicity = np.select([table["black"] == 1, table["hisp"] == 1], [0, 1], 2)
    return Panel(
        name="wage-panel",
        persons=ids,
        offsets=np.append(start, len(table["nr"])).astype(np.int64),
        year=table["year"].astype(np.int32),
        state=(table["occupation"] - 1).astype(np.int32),
        occupations=Occupations(codes, OCCUPATION_TITLES, codes, (Status.EMPLOYED,) * len(codes)),
        split=split_by_hash(ids),
        covariates={
            "birth_year": numeric(table["year"] - table["exper"] - schooling - 6),
            "ethnicity": categorical(ethnicity, ("black", "hispanic", "other")),
            "years_of_schooling": numeric(schooling),
            "married": categorical(table["married"], ("no", "yes")),
        },
        source={"reader": "wage-panel", "library": "linearmodels"},
        left_out=LEFT_OUT,
    )


@hookimpl
def harness_datasets() -> list[DatasetSpec]:
    """The data set ``wage-panel``."""
    return [
        DatasetSpec(
            name="wage-panel",
            summary="545 young men, 1980-87, nine broad occupations, always at work (real)",
            load=load,
            cite="Vella and Verbeek (1998), Journal of Applied Econometrics 13, 163-183",
            license="distributed with linearmodels (NCSA); from the journal's public data archive",
            needs=("linearmodels",),
            install="pip install 'labor-harness[wage-panel]'",
        )
    ]
