import type { StorageMarker } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import type { CheckSteps } from './check-steps.ts';

/** What a granted check works with. */
export interface CheckWork {
  readonly checkId: string;
  readonly storage: Storage;
  /** What the storage is known by; none where backup-service is older than this worker. */
  readonly marker?: StorageMarker | undefined;
  /** Of this worker: where the credentials are. */
  readonly env: Env;
  /** Takes down what is found. */
  readonly steps: CheckSteps;
  /** Aborts when the check is somebody else's. */
  readonly lost: AbortSignal;
  /** Aborts when this worker is to stop. */
  readonly drain: AbortSignal;
}
