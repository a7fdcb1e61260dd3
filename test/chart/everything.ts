/** Values with every switch on, and every value that may be empty filled. */
import type { Values } from './helm.ts';

export const NEEDED: Values = {
  gateway: { allowOpen: true },
  keda: { prometheusAddress: 'http://prometheus.monitoring:9090' },
  workers: { defaults: { br: { versions: ['v8.5.4'] } } },
};

export const EVERYTHING: Values = {
  fullnameOverride: 'backups',
  commonLabels: { team: 'storage' },
  image: { registry: 'registry.example.com', tag: '1.10', pullPolicy: 'Always', pullSecrets: ['registry'] },
  credentials: {
    existingSecret: 'tidemark-credentials',
    mongodbUrl: { existingSecret: 'mongodb-user', key: 'connectionString.standard' },
    rabbitmqUrl: { existingSecret: 'rabbitmq-default-user', key: 'connection_string' },
  },
  tls: {
    enabled: true,
    existingSecret: 'tidemark-tls',
    serverName: 'tidemark',
    secrets: { gateway: 'tidemark-gateway-tls' },
  },
  settings: {
    TIDEMARK_LOG_LEVEL: 'debug',
    TIDEMARK_BACKUPMETA_BYTES: 536_870_912,
    TIDEMARK_GRACE_SECONDS: 45.5,
    TIDEMARK_OIDC_ISSUER: 'https://login.example.com/realms/ops',
    TIDEMARK_OIDC_AUDIENCE: 'tidemark',
    TIDEMARK_RATE_PER_SECOND: 1_000_000,
  },
  traces: { endpoint: 'http://otel-collector.monitoring:4318' },
  common: {
    podAnnotations: { 'example.com/scanned': 'true' },
    podLabels: { 'example.com/tier': 'backup' },
    nodeSelector: { 'kubernetes.io/os': 'linux' },
    tolerations: [{ key: 'backup', operator: 'Exists', effect: 'NoSchedule' }],
    affinity: {
      podAntiAffinity: {
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: {} } },
        ],
      },
    },
    priorityClassName: 'system-cluster-critical',
    extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/etc/authorities/ca.crt' }],
    extraEnvFrom: [{ configMapRef: { name: 'proxy', optional: true } }],
    extraVolumes: [{ name: 'authorities', configMap: { name: 'authorities' } }],
    extraVolumeMounts: [{ name: 'authorities', mountPath: '/etc/authorities', readOnly: true }],
  },
  gateway: {
    allowOpen: false,
    tls: { existingSecret: 'tidemark-https' },
    service: {
      type: 'LoadBalancer',
      annotations: { 'example.com/internal': 'true' },
      port: 443,
      grpcPort: 8443,
      loadBalancerClass: 'example.com/internal',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
    },
    ingress: {
      enabled: true,
      className: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/proxy-buffering': 'off' },
      hosts: ['tidemark.example.com'],
      tls: [{ secretName: 'tidemark-ingress', hosts: ['tidemark.example.com'] }],
    },
  },
  strategyService: { podDisruptionBudget: { enabled: false } },
  workers: {
    serviceAccount: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/backups' } },
    defaults: {
      br: { versions: ['v8.5.4', 'v7.5.6'], programs: ['/opt/own/br'] },
      manifestKey: { existingSecret: 'tidemark-manifest-key' },
      keda: { enabled: true, maxReplicas: 20 },
    },
    pools: {
      default: { secretFiles: ['prod.credentials', 'crypter-keys'], stateSizeLimit: '2Gi', tmpSizeLimit: '20Gi' },
      europe: {
        slots: 2,
        drainSeconds: 0,
        tolerations: [],
        podDisruptionBudget: { maxUnavailable: '25%' },
        keda: { enabled: false },
        replicas: 6,
      },
      overseas: { keda: { kind: 'ScaledJob', minReplicas: 2, idleSeconds: 90.5 } },
      'by-night': { drainSeconds: 7_200, keda: { kind: 'ScaledJob', minReplicas: 0 } },
    },
  },
  keda: {
    prometheusAddress: 'https://prometheus.monitoring:9090',
    matchers: 'namespace="backup"',
    authenticationRef: 'prometheus',
  },
  serviceAccount: { annotations: { 'example.com/owner': 'storage' } },
  networkPolicy: {
    enabled: true,
    clients: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress' } } }],
    metrics: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
    traces: { to: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }] },
    mongodb: { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }] },
    workerEgress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }, { ports: [{ port: 443 }] }],
  },
  serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
  prometheusRule: {
    enabled: true,
    labels: { release: 'prometheus' },
    runbookAddress: 'https://git.example.com/tidemark/blob/main/',
  },
  dashboards: { enabled: true, annotations: { grafana_folder: 'Tidemark' } },
  extraObjects: [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: '{{ .Release.Name }}-authorities' },
      data: { 'ca.crt': '' },
    },
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ include "tidemark.fullname" . }}-note\n',
  ],
};
