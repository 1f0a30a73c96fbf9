module modelwright/pause

go 1.26.0
