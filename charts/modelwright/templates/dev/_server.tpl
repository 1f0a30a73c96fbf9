{{- /* One small server with a folder: a Deployment, its Service, and its volume. */ -}}
{{- define "modelwright.devServer" }}
{{- $root := .root }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "modelwright.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  replicas: 1
  strategy: {type: Recreate}
  selector:
    matchLabels:
      {{- include "modelwright.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .component }}
  template:
    metadata:
      labels:
        {{- include "modelwright.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- include "modelwright.pullSecrets" $root | nindent 6 }}
      securityContext: {{- include "modelwright.podSecurity" $root | nindent 8 }}
      {{- if .folder }}
      initContainers:
        # A bucket is a folder.
        - name: bucket
          image: {{ $root.Values.images.operator }}
          imagePullPolicy: {{ $root.Values.images.pullPolicy }}
          command: [python, -c, "import os, sys; os.makedirs(sys.argv[1], exist_ok=True)", {{ .mount }}/{{ .folder }}]
          resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 128Mi}}
          securityContext: {{- include "modelwright.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - {name: data, mountPath: {{ .mount }}}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ .values.image }}
          imagePullPolicy: {{ $root.Values.images.pullPolicy }}
          {{- with .args }}
          args: {{- toYaml . | nindent 12 }}
          {{- end }}
          env: {{- toYaml .env | nindent 12 }}
          ports:
            - {name: http, containerPort: {{ .port }}, protocol: TCP}
          readinessProbe:
            httpGet: {path: {{ .probe }}, port: http}
            periodSeconds: 2
          resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 512Mi}}
          securityContext: {{- include "modelwright.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            - {name: data, mountPath: {{ .mount }}}
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: data
          {{- if .values.persistent }}
          persistentVolumeClaim: {claimName: {{ .name }}}
          {{- else }}
          emptyDir: {}
          {{- end }}
        - name: tmp
          emptyDir: {}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "modelwright.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  {{- with .clusterIP }}
  clusterIP: {{ . }}
  {{- end }}
  selector:
    {{- include "modelwright.selector" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
  ports:
    - {name: http, port: {{ .port }}, targetPort: http, protocol: TCP}
{{- if .values.persistent }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "modelwright.labels" $root | nindent 4 }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .values.storageClassName }}
  storageClassName: {{ . }}
  {{- end }}
  resources: {requests: {storage: {{ .values.size }}}}
{{- end }}
{{- end }}
