import { AppError } from '@tidemark/errors/app-error';
import type { DrillStore } from '../drill/drill-store.ts';
import type { Quarantines } from '../quarantines.ts';
import type { Dependencies } from './context.ts';

/** What the handlers of drills work with. */
export interface DrillDependencies extends Dependencies {
  readonly drills: DrillStore;
  readonly quarantines: Pick<Quarantines, 'listedDrillRuns'>;
}

export function noDrill(clusterId: string): AppError {
  return new AppError('drill_not_found', `Cluster ${clusterId} has no drill.`, { info: { clusterId } });
}
