{{- /* Names, labels, and the security settings that every Pod of this chart has. */ -}}

{{- define "modelwright.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains "modelwright" .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-modelwright" (.Release.Name | trunc 28 | trimSuffix "-") }}
{{- end -}}
{{- end -}}

{{- /* Cluster-wide names, which two releases in two namespaces must not share. */ -}}
{{- define "modelwright.clusterName" -}}
{{- $name := include "modelwright.fullname" . -}}
{{- if or (eq .Release.Namespace "modelwright-system") (eq .Release.Namespace $name) -}}
{{ $name }}
{{- else -}}
{{ printf "%s-%s" .Release.Namespace $name }}
{{- end -}}
{{- end -}}

{{- define "modelwright.serviceAccountName" -}}
{{- if .Values.serviceAccount.name -}}
{{ .Values.serviceAccount.name }}
{{- else if .Values.serviceAccount.create -}}
{{ include "modelwright.fullname" . }}
{{- else -}}
{{ fail "serviceAccount.create is false: write the name of an existing service account in serviceAccount.name" }}
{{- end -}}
{{- end -}}

{{- define "modelwright.selector" -}}
app.kubernetes.io/name: modelwright
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Which Pods are the operator's. */ -}}
{{- define "modelwright.operatorSelector" -}}
{{ include "modelwright.selector" . }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "modelwright.labels" -}}
{{ include "modelwright.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "modelwright.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "modelwright.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "modelwright.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "modelwright.s3Host" -}}
{{ include "modelwright.fullname" . }}-s3.{{ .Release.Namespace }}.svc.cluster.local
{{- end -}}

{{- define "modelwright.registryHost" -}}
{{- if .Values.dev.registry.clusterIP -}}
{{ .Values.dev.registry.clusterIP }}:5000
{{- else -}}
{{ include "modelwright.fullname" . }}-registry.{{ .Release.Namespace }}.svc.cluster.local:5000
{{- end -}}
{{- end -}}

{{- /* The operator's configuration: what the values say, and the development store and registry where they are silent. */ -}}
{{- define "modelwright.config" -}}
{{- $store := deepCopy .Values.store -}}
{{- $registry := deepCopy .Values.registry -}}
{{- if .Values.dev.enabled -}}
{{- if not $store.endpoint }}{{ $_ := set $store "endpoint" (printf "http://%s:7070" (include "modelwright.s3Host" .)) }}{{ end -}}
{{- if not $registry.repository -}}
{{- $_ := set $registry "repository" (printf "%s/models" (include "modelwright.registryHost" .)) -}}
{{- $_ := set $registry "insecure" true -}}
{{- end -}}
{{- end -}}
{{- $serving := deepCopy .Values.serving -}}
{{- $operator := dict "namespaceSelector" (dict "matchLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace))
  "podSelector" (dict "matchLabels" (include "modelwright.operatorSelector" . | fromYaml)) -}}
{{- $_ := set $serving.networkPolicy "operator" $operator -}}
{{- dict "store" $store "registry" $registry "images" (omit .Values.images "operator") "defaults" .Values.defaults
  "ceilings" .Values.ceilings "retry" .Values.retry "serving" $serving "policy" .Values.policy | toYaml }}
{{- end -}}
