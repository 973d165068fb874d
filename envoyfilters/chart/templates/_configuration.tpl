{{/* The server's configuration, whole: what is not set has the server's own default. JSON of a mapping. */}}
{{- define "extproc.defaults" -}}
inspection: {request_body_bytes: 1048576, response_body_bytes: 1048576, decoded_bytes: 10485760, memory_bytes: 268435456}
policy: {mode: enforce, engine: embedded, deadline_ms: 150, memory_bytes: 1073741824}
blocking: {failure_status: 503}
envoy: {message_timeout_ms: 2000}
headers: {prefix: x-extproc-}
mutations:
  request_headers: [x-extproc-*]
  response_headers: [x-extproc-*, content-type, www-authenticate, retry-after, cache-control]
  path: false
{{- end }}

{{- define "extproc.settings" -}}
{{- $set := mergeOverwrite (fromYaml (include "extproc.defaults" .)) (deepCopy .Values.configuration) (dict "blocking" (deepCopy .Values.blocking)) -}}
{{- if not .Values.inspectResponses }}{{ $_ := set $set.policy "points" (merge (dict "response" nil) (default dict $set.policy.points)) }}{{ end -}}
{{- $margin := add $set.policy.deadline_ms 500 -}}
{{- if lt (int $set.envoy.message_timeout_ms) (int $margin) }}{{ fail (printf "configuration.envoy.message_timeout_ms must be at least policy.deadline_ms + 500 = %d" $margin) }}{{ end -}}
{{- toJson $set -}}
{{- end }}

{{/* Whether the server ends mutual TLS itself, in pods without sidecars: not empty. */}}
{{- define "extproc.ownTls" -}}
{{- if hasKey .Values.configuration "tls" -}}
{{- $tls := .Values.configuration.tls -}}
{{- range list "certificate" "key" "client_ca" -}}
{{- if hasKey $tls . }}{{ fail (printf "configuration.tls.%s: take it out and make the Secret extproc-tls: the server reads its tls.crt, tls.key and ca.crt" .) }}{{ end -}}
{{- end -}}
{{- if not $tls.client_san }}{{ fail "configuration.tls.client_san: name a URI or DNS name of the gateway's certificate, such as spiffe://example.org/gateway, or take tls out and have sidecars: anybody whom the CA certifies could ask" }}{{ end -}}
yes
{{- end -}}
{{- end }}

{{/* What the server reads: the values, and the addresses and paths of a pod. */}}
{{- define "extproc.file" -}}
{{- $policy := dict "paths" (list "/etc/extproc/policies/policies") -}}
{{- if not .Values.inspectResponses }}{{ $_ := set $policy "points" (dict "response" nil) }}{{ end -}}
{{- if eq (include "extproc.settings" . | fromJson).policy.engine "opa" }}{{ $_ := unset $policy "paths" }}{{ end -}}
{{- $pod := dict
  "listen" "0.0.0.0:9000"
  "admin" (dict "listen" "0.0.0.0:9090")
  "policy" $policy
  "evidence" (dict "directory" "/var/lib/extproc/receipts" "key" "/etc/extproc/keys/signing.pem" "hmac_key" "/etc/extproc/keys/hmac.key")
-}}
{{- if include "extproc.ownTls" . }}{{ $_ := set $pod "tls" (dict "certificate" "/etc/extproc/tls/tls.crt" "key" "/etc/extproc/tls/tls.key" "client_ca" "/etc/extproc/tls/ca.crt") }}{{ end -}}
{{- mergeOverwrite (deepCopy .Values.configuration) (dict "blocking" (deepCopy .Values.blocking)) $pod | toPrettyJson -}}
{{- end }}

{{- define "extproc.policies" -}}
{{- if and (not .Values.policies) (eq (include "extproc.settings" . | fromJson).policy.engine "embedded") }}{{ fail "policies: at least one, such as --set-file policies.request\\.rego=request.rego" }}{{ end -}}
{{- range $name, $text := .Values.policies }}
policies__{{ $name | replace "/" "__" }}: {{ $text | toJson }}
{{- end }}
{{- end }}

{{/* After the content, as extproc.istio.manifests.files.policies_name does it. */}}
{{- define "extproc.policiesName" -}}
{{- $lines := list -}}
{{- range $name, $text := .Values.policies }}{{ $lines = append $lines (printf "%s  policies__%s" (sha256sum $text) ($name | replace "/" "__")) }}{{ end -}}
extproc-policies-{{ $lines | sortAlpha | join "\n" | sha256sum | trunc 10 }}
{{- end }}

{{/* Envoy's buffer, and the most that a container holds (extproc.server.translation.most_memory_bytes). */}}
{{- define "extproc.buffer" -}}
{{- $inspection := (include "extproc.settings" . | fromJson).inspection -}}
{{- add (max $inspection.request_body_bytes $inspection.response_body_bytes) 65536 -}}
{{- end }}

{{- define "extproc.memory" -}}
{{- $settings := include "extproc.settings" . | fromJson -}}
{{- $inspection := $settings.inspection -}}
{{- $messages := mul 1024 (add (include "extproc.buffer" .) 1048576) -}}
{{- $tree := mul 60 (max $inspection.request_body_bytes $inspection.response_body_bytes $inspection.decoded_bytes) -}}
{{- $bytes := add $inspection.memory_bytes $messages 17825792 $tree $settings.policy.memory_bytes 536870912 -}}
{{- div (add $bytes 1048575) 1048576 -}}Mi
{{- end }}

{{- define "extproc.gatewayLabels" -}}
{{- if eq .Values.gateway.kind "gateway-api" }}
gateway.networking.k8s.io/gateway-name: {{ required "gateway.name" .Values.gateway.name | quote }}
{{- else }}
{{- range .Values.gateway.selector }}
{{ (splitn "=" 2 .)._0 | quote }}: {{ (splitn "=" 2 .)._1 | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- define "extproc.gatewayServiceAccount" -}}
{{- if eq .Values.gateway.kind "gateway-api" }}{{ .Values.gateway.name }}-istio{{ else }}{{ .Values.gateway.serviceAccount }}{{ end }}
{{- end }}
