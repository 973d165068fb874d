// The hey command at its pinned version, built by .ci/tools.mk.
module extproc/ci/hey

go 1.24.0

tool github.com/rakyll/hey

require github.com/rakyll/hey v0.1.5

require golang.org/x/net v0.48.0

require golang.org/x/text v0.33.0 // indirect

