"""A rehearsal: a few real steps of each kind of job, and what the declared grid will then cost.

`plan` chooses the kinds, `training` and `scoring` run their steps, `meter` measures them, `rates`
holds what was measured, and `costs` applies it to a job. It may import what jobs import, and `grid`
and `resources`.
"""
