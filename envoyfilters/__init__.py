"""What is applied to a mesh, as kustomize reads it; `python -m envoyfilters` renders it anew (`make envoyfilters`)."""
