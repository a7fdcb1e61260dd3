{{- define "tidemark.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "tidemark.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels by which pods are found: (root, process). */}}
{{- define "tidemark.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "tidemark.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of every object: (root, component). */}}
{{- define "tidemark.labels" -}}
{{- $root := index . 0 -}}
{{ include "tidemark.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: tidemark
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Writes the second map over the first, key by key. Lists are replaced. sprig's own merges take false, 0 and "" for unset. */}}
{{- define "tidemark.overlay" -}}
{{- $under := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $under $key)) -}}
{{- include "tidemark.overlay" (list (get $under $key) $value) -}}
{{- else -}}
{{- $_ := set $under $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A number or text as an environment variable is written; large numbers would else be 1e+06. */}}
{{- define "tidemark.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end -}}

{{/* The ports of the processes, as the program has them unless told otherwise. */}}
{{- define "tidemark.ports" -}}
gateway: { api: 4116, grpc: 4120, operations: 4126 }
strategy-service: { api: 4117, operations: 4127 }
backup-service: { api: 4118, operations: 4128 }
scheduler-service: { api: 4119, operations: 4129 }
executor-worker: { operations: 4130 }
{{- end -}}

{{/* Where the values of a process are; of workers there are pools. */}}
{{- define "tidemark.keys" -}}
gateway: gateway
strategy-service: strategyService
backup-service: backupService
scheduler-service: schedulerService
{{- end -}}

{{- define "tidemark.image" -}}
{{- $root := index . 0 -}}
{{- $image := $root.Values.image -}}
{{- $tag := default $root.Chart.AppVersion $image.tag -}}
{{- $path := printf "%s/%s:%s" $image.repository (index . 1) $tag -}}
{{- if $image.registry -}}{{ $image.registry }}/{{- end -}}{{ $path }}
{{- end -}}

{{- define "tidemark.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tidemark.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "tidemark.workerServiceAccount" -}}
{{- $account := .Values.workers.serviceAccount -}}
{{- if $account.create -}}
{{- default (printf "%s-worker" (include "tidemark.fullname" .)) $account.name -}}
{{- else -}}
{{- default "default" $account.name -}}
{{- end -}}
{{- end -}}

{{/* Refuses what no process could start with, in words of values.yaml. */}}
{{- define "tidemark.check" -}}
{{- $values := .Values -}}
{{- if not (or $values.gateway.tls.existingSecret $values.gateway.allowOpen) -}}
{{- fail "gateway.tls.existingSecret must name a Secret with tls.crt and tls.key; or set gateway.allowOpen=true, where a TLS proxy such as an Ingress stands in front of the gateway or nobody else is on its network." -}}
{{- end -}}
{{- if $values.tls.enabled -}}
{{- range $process, $_ := include "tidemark.ports" $ | fromYaml -}}
{{- if not (or $values.tls.existingSecret (get $values.tls.secrets $process)) -}}
{{- fail (printf "tls.enabled needs tls.existingSecret, or tls.secrets.%s: a Secret with tls.crt, tls.key and ca.crt." $process) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := $values.workers.pools -}}
{{- if gt (len (include "tidemark.poolName" (list $ $name))) 63 -}}
{{- fail (printf "%s is longer than the 63 characters of a name in Kubernetes: set a shorter fullnameOverride." (include "tidemark.poolName" (list $ $name))) -}}
{{- end -}}
{{- $pool := include "tidemark.pool" (list $ $name) | fromYaml -}}
{{- if not (or $pool.br.versions $pool.br.programs) -}}
{{- fail (printf "workers.pools.%s.br.versions (or workers.defaults.br.versions) must name the versions of br for your clusters, such as v8.5.4." $name) -}}
{{- end -}}
{{- if and $pool.keda.enabled (not $values.keda.prometheusAddress) -}}
{{- fail (printf "workers.pools.%s.keda.enabled needs keda.prometheusAddress, such as http://prometheus.monitoring:9090." $name) -}}
{{- end -}}
{{- if gt (int $pool.keda.minReplicas) (int $pool.keda.maxReplicas) -}}
{{- fail (printf "workers.pools.%s.keda.minReplicas is greater than its maxReplicas." $name) -}}
{{- end -}}
{{- if and $pool.keda.enabled (eq $pool.keda.kind "ScaledJob") -}}
{{- if ne (int $pool.slots) 1 -}}
{{- fail (printf "workers.pools.%s.slots must be 1 where its keda.kind is ScaledJob: each of these workers does one task." $name) -}}
{{- end -}}
{{- if eq (int $pool.keda.minReplicas) (int $pool.keda.maxReplicas) -}}
{{- fail (printf "workers.pools.%s.keda.maxReplicas leaves no room for Jobs beside its minReplicas." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What holds for a process: (root, key of its values). */}}
{{- define "tidemark.process" -}}
{{- $root := index . 0 -}}
{{- $values := deepCopy $root.Values.common -}}
{{- include "tidemark.overlay" (list $values (get $root.Values (index . 1))) -}}
{{- toYaml $values -}}
{{- end -}}

{{/* What holds for a pool of workers: (root, name). */}}
{{- define "tidemark.pool" -}}
{{- $root := index . 0 -}}
{{- $values := deepCopy $root.Values.common -}}
{{- include "tidemark.overlay" (list $values (deepCopy $root.Values.workers.defaults)) -}}
{{- include "tidemark.overlay" (list $values (default dict (get $root.Values.workers.pools (index . 1)))) -}}
{{- toYaml $values -}}
{{- end -}}

{{/* How the objects of a pool are named: (root, name). */}}
{{- define "tidemark.poolName" -}}
{{- printf "%s-worker-%s" (include "tidemark.fullname" (index . 0)) (index . 1) -}}
{{- end -}}

{{/* The program of a version of br, below the folder that the init containers fill. */}}
{{- define "tidemark.brPrograms" -}}
{{- $programs := list -}}
{{- range .br.versions -}}
{{- $programs = append $programs (printf "/opt/br/br-%s" .) -}}
{{- end -}}
{{- concat $programs .br.programs | join "," -}}
{{- end -}}

{{/*
How long the stop of a worker takes, as docs/workers.md says: its drain, 15 s of last words, two graces of br, and 25 s to spare.
*/}}
{{- define "tidemark.workerGracePeriod" -}}
{{- $root := index . 0 -}}
{{- $pool := index . 1 -}}
{{- $grace := default 30 (get $root.Values.settings "TIDEMARK_GRACE_SECONDS") -}}
{{- add (ceil (float64 $pool.drainSeconds)) (ceil (mulf 2 (float64 $grace))) 40 -}}
{{- end -}}

{{/* The files of credentials that a process needs: a map from the name of the setting to that of the credential. */}}
{{- define "tidemark.credentials" -}}
TIDEMARK_SERVICE_TOKEN_FILE: serviceToken
{{- if eq . "gateway" }}
TIDEMARK_TOKENS_FILE: tokens
{{- end }}
{{- if or (eq . "backup-service") (eq . "executor-worker") }}
TIDEMARK_AMQP_URL_FILE: rabbitmqUrl
{{- end }}
{{- if has . (list "strategy-service" "backup-service" "scheduler-service") }}
TIDEMARK_MONGODB_URL_FILE: mongodbUrl
{{- end }}
{{- end -}}

{{/* The environment of a process: (root, process, pool or nil). */}}
{{- define "tidemark.env" -}}
{{- $root := index . 0 -}}
{{- $process := index . 1 -}}
{{- $pool := index . 2 -}}
{{- $values := $root.Values -}}
{{- $fullname := include "tidemark.fullname" $root -}}
{{- $all := include "tidemark.ports" $root | fromYaml -}}
{{- $ports := get $all $process -}}
{{- $env := dict "TIDEMARK_HOST" "0.0.0.0" "TIDEMARK_OPERATIONS_PORT" $ports.operations -}}
{{- if $ports.api }}{{ $_ := set $env "TIDEMARK_PORT" $ports.api }}{{ end -}}
{{- if $ports.grpc }}{{ $_ := set $env "TIDEMARK_GRPC_PORT" $ports.grpc }}{{ end -}}
{{- $calls := dict
  "gateway" (list "strategy-service" "backup-service" "scheduler-service")
  "strategy-service" (list "backup-service")
  "backup-service" (list)
  "scheduler-service" (list "strategy-service" "backup-service")
  "executor-worker" (list "backup-service") -}}
{{- range get $calls $process -}}
{{- $name := printf "TIDEMARK_%s" (upper . | replace "-" "_") -}}
{{- $_ := set $env $name (printf "%s-%s:%v" $fullname . (get $all .).api) -}}
{{- end -}}
{{- range $name, $credential := include "tidemark.credentials" $process | fromYaml -}}
{{- $_ := set $env $name (printf "/run/tidemark/credentials/%s" (kebabcase $credential)) -}}
{{- end -}}
{{- if $values.tls.enabled -}}
{{- $_ := set $env "TIDEMARK_TLS_CERT_FILE" "/run/tidemark/tls/tls.crt" -}}
{{- $_ := set $env "TIDEMARK_TLS_KEY_FILE" "/run/tidemark/tls/tls.key" -}}
{{- $_ := set $env "TIDEMARK_TLS_CA_FILE" "/run/tidemark/tls/ca.crt" -}}
{{- with $values.tls.serverName }}{{ $_ := set $env "TIDEMARK_TLS_SERVER_NAME" . }}{{ end -}}
{{- end -}}
{{- if eq $process "gateway" -}}
{{- if $values.gateway.tls.existingSecret -}}
{{- $_ := set $env "TIDEMARK_GATEWAY_TLS_CERT_FILE" "/run/tidemark/https/tls.crt" -}}
{{- $_ := set $env "TIDEMARK_GATEWAY_TLS_KEY_FILE" "/run/tidemark/https/tls.key" -}}
{{- else if $values.gateway.allowOpen -}}
{{- $_ := set $env "TIDEMARK_ALLOW_OPEN" "true" -}}
{{- end -}}
{{- end -}}
{{- if $pool -}}
{{- $_ := set $env "TIDEMARK_POOL" $pool.name -}}
{{- $_ := set $env "TIDEMARK_SLOTS" $pool.slots -}}
{{- $_ := set $env "TIDEMARK_DRAIN_SECONDS" $pool.drainSeconds -}}
{{- $_ := set $env "TIDEMARK_BR" (include "tidemark.brPrograms" $pool) -}}
{{- $_ := set $env "TIDEMARK_STATE_DIR" "/var/lib/tidemark" -}}
{{- if $pool.isJob -}}
{{- $_ := set $env "TIDEMARK_MAX_TASKS" 1 -}}
{{- $_ := set $env "TIDEMARK_IDLE_SECONDS" $pool.keda.idleSeconds -}}
{{- end -}}
{{- if $pool.secretFiles }}{{ $_ := set $env "TIDEMARK_SECRETS_DIR" "/run/tidemark/secrets" }}{{ end -}}
{{- if $pool.manifestKey.existingSecret -}}
{{- $_ := set $env "TIDEMARK_MANIFEST_KEY_FILE" (printf "/run/tidemark/manifest-key/%s" $pool.manifestKey.key) -}}
{{- end -}}
{{- end -}}
{{- with $values.traces.endpoint }}{{ $_ := set $env "OTEL_EXPORTER_OTLP_ENDPOINT" . }}{{ end -}}
{{- $readers := $root.Files.Get "files/settings.json" | fromJson -}}
{{- range $name, $value := $values.settings -}}
{{- if has $process (get $readers $name) }}{{ $_ := set $env $name $value }}{{ end -}}
{{- end -}}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ include "tidemark.text" $value | quote }}
{{- end }}
{{- end -}}

{{/* The pod of a process: (root, process, its values, labels). Of a pool the values have its name, and isJob where it does one task. */}}
{{- define "tidemark.podTemplate" -}}
{{- $root := index . 0 -}}
{{- $process := index . 1 -}}
{{- $of := index . 2 -}}
{{- $selector := index . 3 -}}
{{- $values := $root.Values -}}
{{- $isWorker := eq $process "executor-worker" -}}
{{- $isGateway := eq $process "gateway" -}}
{{- $ports := get (include "tidemark.ports" $root | fromYaml) $process -}}
metadata:
  labels:
    {{- toYaml $selector | nindent 4 }}
    app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
    app.kubernetes.io/part-of: tidemark
    {{- with $values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $of.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ $process }}
    {{- with $of.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- if $of.isJob }}
  restartPolicy: Never
  {{- end }}
  serviceAccountName: {{ $isWorker | ternary (include "tidemark.workerServiceAccount" $root) (include "tidemark.serviceAccount" $root) }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- toYaml $of.podSecurityContext | nindent 4 }}
  {{- if $isWorker }}
  terminationGracePeriodSeconds: {{ include "tidemark.workerGracePeriod" (list $root $of) }}
  {{- else }}
  terminationGracePeriodSeconds: {{ add 100 ($isGateway | ternary $values.gateway.preStopSeconds 0) }}
  {{- end }}
  {{- with $of.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $of.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $of.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $of.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $of.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $constraint := deepCopy . }}
    {{- if not .labelSelector }}{{ $_ := set $constraint "labelSelector" (dict "matchLabels" $selector) }}{{ end }}
    {{- toYaml (list $constraint) | nindent 4 }}
    {{- end }}
  {{- end }}
  {{- if and $isWorker $of.br.versions }}
  initContainers:
    {{- range $of.br.versions }}
    - name: {{ printf "br-%s" . | lower | replace "." "-" | replace "_" "-" | trunc 63 | trimSuffix "-" }}
      image: {{ printf "%s:%s" $of.br.image . }}
      imagePullPolicy: {{ $of.br.pullPolicy }}
      command: [cp, /br, {{ printf "/opt/br/br-%s" . }}]
      securityContext:
        {{- toYaml $of.securityContext | nindent 8 }}
      resources:
        {{- toYaml $of.resources | nindent 8 }}
      volumeMounts:
        - { name: br, mountPath: /opt/br }
    {{- end }}
  {{- end }}
  containers:
    - name: {{ $process }}
      image: {{ include "tidemark.image" (list $root $process) }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      env:
        {{- include "tidemark.env" (list $root $process ($isWorker | ternary $of nil)) | trim | nindent 8 }}
        {{- with $of.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $of.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        {{- range $name, $port := $ports }}
        - { name: {{ $name }}, containerPort: {{ $port }} }
        {{- end }}
      startupProbe:
        httpGet: { path: /livez, port: operations }
        {{- toYaml $of.startupProbe | nindent 8 }}
      livenessProbe:
        httpGet: { path: /livez, port: operations }
        {{- toYaml $of.livenessProbe | nindent 8 }}
      readinessProbe:
        httpGet: { path: /readyz, port: operations }
        {{- toYaml $of.readinessProbe | nindent 8 }}
      {{- if and $isGateway (gt (int $values.gateway.preStopSeconds) 0) }}
      lifecycle:
        preStop:
          exec: { command: [sleep, {{ $values.gateway.preStopSeconds | quote }}] }
      {{- end }}
      securityContext:
        {{- toYaml $of.securityContext | nindent 8 }}
      resources:
        {{- toYaml $of.resources | nindent 8 }}
      volumeMounts:
        - { name: tmp, mountPath: /tmp }
        - { name: credentials, mountPath: /run/tidemark/credentials, readOnly: true }
        {{- if $values.tls.enabled }}
        - { name: tls, mountPath: /run/tidemark/tls, readOnly: true }
        {{- end }}
        {{- if and $isGateway $values.gateway.tls.existingSecret }}
        - { name: https, mountPath: /run/tidemark/https, readOnly: true }
        {{- end }}
        {{- if $isWorker }}
        - { name: state, mountPath: /var/lib/tidemark }
        - { name: br, mountPath: /opt/br, readOnly: true }
        {{- range $of.secretFiles }}
        - { name: {{ printf "secret-%s" . | replace "." "-" | trunc 63 | trimSuffix "-" }}, mountPath: {{ printf "/run/tidemark/secrets/%s" . }}, readOnly: true }
        {{- end }}
        {{- if $of.manifestKey.existingSecret }}
        - { name: manifest-key, mountPath: /run/tidemark/manifest-key, readOnly: true }
        {{- end }}
        {{- end }}
        {{- with $of.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {{ if and $isWorker $of.tmpSizeLimit }}{ sizeLimit: {{ $of.tmpSizeLimit }} }{{ else }}{}{{ end }}
    - name: credentials
      projected:
        defaultMode: 0440
        sources:
          {{- range $_, $credential := include "tidemark.credentials" $process | fromYaml }}
          {{- $source := get $values.credentials $credential }}
          - secret:
              name: {{ default $values.credentials.existingSecret $source.existingSecret }}
              items: [{ key: {{ $source.key }}, path: {{ kebabcase $credential }} }]
          {{- end }}
    {{- if $values.tls.enabled }}
    - name: tls
      secret: { secretName: {{ default $values.tls.existingSecret (get $values.tls.secrets $process) }}, defaultMode: 0440 }
    {{- end }}
    {{- if and $isGateway $values.gateway.tls.existingSecret }}
    - name: https
      secret: { secretName: {{ $values.gateway.tls.existingSecret }}, defaultMode: 0440 }
    {{- end }}
    {{- if $isWorker }}
    - name: state
      emptyDir: {{ if $of.stateSizeLimit }}{ sizeLimit: {{ $of.stateSizeLimit }} }{{ else }}{}{{ end }}
    - name: br
      emptyDir: {}
    {{- range $of.secretFiles }}
    - name: {{ printf "secret-%s" . | replace "." "-" | trunc 63 | trimSuffix "-" }}
      secret: { secretName: {{ . }}, defaultMode: 0440 }
    {{- end }}
    {{- if $of.manifestKey.existingSecret }}
    - name: manifest-key
      secret: { secretName: {{ $of.manifestKey.existingSecret }}, defaultMode: 0440 }
    {{- end }}
    {{- end }}
    {{- with $of.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Of a process or a pool: (root, process, name, its values, labels of its pods). */}}
{{- define "tidemark.podDisruptionBudget" -}}
{{- $budget := (index . 3).podDisruptionBudget -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ index . 2 }}
  namespace: {{ (index . 0).Release.Namespace }}
  labels:
    {{- include "tidemark.labels" (list (index . 0) (index . 1)) | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  selector:
    matchLabels:
      {{- toYaml (index . 4) | nindent 6 }}
{{- end -}}

{{/* Not empty where pods of a process send traces: (root, process). */}}
{{- define "tidemark.sendsTraces" -}}
{{- $root := index . 0 -}}
{{- $all := list -}}
{{- with get (include "tidemark.keys" $root | fromYaml) (index . 1) -}}
{{- $all = append $all (include "tidemark.process" (list $root .) | fromYaml) -}}
{{- else -}}
{{- range $pool, $_ := $root.Values.workers.pools -}}
{{- $all = append $all (include "tidemark.pool" (list $root $pool) | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- $root.Values.traces.endpoint -}}
{{- range $of := $all -}}
{{- range $of.extraEnv -}}
{{- if has .name (list "OTEL_EXPORTER_OTLP_ENDPOINT" "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") }}{{ .name }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A rule for what lies outside of the release. */}}
{{- define "tidemark.egress" -}}
- ports:
    {{- range .ports }}
    - port: {{ . }}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
