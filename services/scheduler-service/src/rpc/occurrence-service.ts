import {
  type OccurrenceServiceServer,
  OccurrenceServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { Dependencies } from './context.ts';
import { type ListOccurrencesDependencies, listOccurrences } from './list-occurrences.ts';
import { previewStrategy } from './preview-strategy.ts';

/** What became of each window, and what will come, for people. */
export function occurrenceService(dependencies: Dependencies & ListOccurrencesDependencies): ServiceBinding {
  return bindService<OccurrenceServiceServer>(OccurrenceServiceService, {
    listOccurrences: listOccurrences(dependencies),
    previewStrategy: previewStrategy(dependencies),
  });
}
