"""What AWX has not: reports that nodes make themselves, the conditions of instances, the last look at the mesh."""
