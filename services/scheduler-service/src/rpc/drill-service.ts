import {
  type DrillServiceServer,
  DrillServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import { deleteDrill } from './delete-drill.ts';
import type { DrillDependencies } from './drill-context.ts';
import { getDrill } from './get-drill.ts';
import { listDrillRuns } from './list-drill-runs.ts';
import { putDrill } from './put-drill.ts';
import { runDrill } from './run-drill.ts';

/** Drills of clusters, for people. */
export function drillService(dependencies: DrillDependencies): ServiceBinding {
  return bindService<DrillServiceServer>(DrillServiceService, {
    putDrill: putDrill(dependencies),
    getDrill: getDrill(dependencies),
    deleteDrill: deleteDrill(dependencies),
    runDrill: runDrill(dependencies),
    listDrillRuns: listDrillRuns(dependencies),
  });
}
