"""What every other package of projects needs: access, audit, names, uses and origins of versions."""
