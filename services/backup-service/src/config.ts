import { MAX_VERIFICATIONS_PER_STORAGE } from '@tidemark/limits/limits';
import { readBroker, readDatabase, readExactTotal, readListeners } from '@tidemark/service-kit/common-settings';
import { configReader, type Env, type OnRead } from '@tidemark/service-kit/env';
import type { AdmissionLimits } from '@tidemark/service-kit/grpc/admission';
import { readAdmissionLimits } from '@tidemark/service-kit/grpc/server';
import { readTransportSecurity, type TransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { readTiming, type Timing } from '@tidemark/service-kit/timing';

const DAY_MS = 86_400_000;

export interface BackupServiceConfig extends TransportSecurity {
  readonly host: string;
  readonly port: number;
  readonly admission: AdmissionLimits;
  readonly operationsHost: string;
  readonly operationsPort: number;
  readonly mongodbUrl: string;
  readonly mongodbDatabase: string;
  readonly amqpUrl: string;
  readonly amqpNamespace: string;
  readonly timing: Timing;
  /** How long the output of an attempt is kept. */
  readonly outputMs: number;
  /** How long audit entries are kept. */
  readonly auditMs: number;
  /** How many removals retention may have under way at once. */
  readonly retentionDeletions: number;
  /** Up to how many backups the total of a list is exact. */
  readonly exactTotal: number;
  /** How many backups of one storage are verified at once. */
  readonly verificationsPerStorage: number;
}

/** @throws ConfigError naming every setting that is wrong */
export function toConfig(env: Env, onRead?: OnRead): BackupServiceConfig {
  const reader = configReader(env, onRead);
  const listeners = readListeners(reader, { port: 4118, operationsPort: 4128 });
  const config: BackupServiceConfig = {
    ...listeners,
    admission: readAdmissionLimits(reader),
    ...readDatabase(reader),
    ...readBroker(reader),
    ...readTransportSecurity(reader, { listensOn: listeners.host }),
    timing: readTiming(reader),
    outputMs:
      DAY_MS *
      reader.integer('TIDEMARK_OUTPUT_DAYS', {
        about: 'How many days the output of an attempt is kept.',
        default: 90,
        min: 1,
        max: 3_650,
      }),
    auditMs:
      DAY_MS *
      reader.integer('TIDEMARK_AUDIT_DAYS', {
        about: 'How many days audit entries are kept.',
        default: 90,
        min: 1,
        max: 3_650,
      }),
    retentionDeletions: reader.integer('TIDEMARK_RETENTION_DELETIONS', {
      about: 'Removals that retention may have under way at once.',
      default: 10,
      min: 1,
      max: 1_000,
    }),
    exactTotal: readExactTotal(reader, 'backups'),
    verificationsPerStorage: reader.integer('TIDEMARK_VERIFICATIONS_PER_STORAGE', {
      about: 'Backups of one storage that are verified at once, beside the backups that are written to it.',
      default: 2,
      min: 1,
      max: MAX_VERIFICATIONS_PER_STORAGE,
    }),
  };
  reader.finish();
  return config;
}
