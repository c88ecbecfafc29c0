"""The API that AWX does not have: nodes' own reports, conditions of instances, the last mesh inspection, the mirror."""
