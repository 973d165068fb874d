{{/* As protojson writes a duration. */}}
{{- define "extproc.messageTimeout" -}}
{{- $ms := int (include "extproc.settings" . | fromJson).envoy.message_timeout_ms -}}
{{- if mod $ms 1000 }}{{ printf "%d.%03ds" (div $ms 1000) (mod $ms 1000) }}{{ else }}{{ printf "%ds" (div $ms 1000) }}{{ end -}}
{{- end }}

{{/* Whether a body may pass unseen, so that the server may tell Envoy not to buffer it: not empty. */}}
{{- define "extproc.waivers" -}}
{{- $set := include "extproc.settings" . | fromJson -}}
{{- $upgrade := dig "inspection" "states" "request" "upgrade" 403 $set -}}
{{- $stream := dig "inspection" "states" "response" "stream" 403 $set -}}
{{- if or (ne $set.policy.mode "enforce") (dig "policy" "points" "headers" "" $set) (eq (toString $upgrade) "evaluate") (eq (toString $stream) "evaluate") }}yes{{ end -}}
{{- end }}

{{/* What the server sets itself, and what the values let a policy set: sorted, whole names, `*` at the end. */}}
{{- define "extproc.allowedHeaders" -}}
{{- $set := include "extproc.settings" . | fromJson -}}
{{- $own := list (printf "%s*" $set.headers.prefix) "accept-encoding" "range" "if-range" "content-type" "cache-control" "retry-after" -}}
{{- $names := concat $own $set.mutations.request_headers $set.mutations.response_headers -}}
{{- if $set.mutations.path }}{{ $names = append $names ":path" }}{{ end -}}
{{- $expressions := list -}}
{{- range $names | uniq | sortAlpha -}}
{{- $expressions = append $expressions (hasSuffix "*" . | ternary (printf "%s.*" (regexQuoteMeta (trimSuffix "*" .))) (regexQuoteMeta .)) -}}
{{- end -}}
{{- join "|" $expressions -}}
{{- end }}
