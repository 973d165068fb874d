module fuzz/readers/golang

go 1.26
