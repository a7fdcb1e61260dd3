import {
  type OccurrenceServiceServer,
  OccurrenceServiceService,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/occurrence_service';
import { bindService, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { OccurrenceStore } from '../occurrence-store.ts';
import { listOccurrences } from './list-occurrences.ts';

/** What became of each window, for people. */
export function occurrenceService(dependencies: { readonly store: OccurrenceStore }): ServiceBinding {
  return bindService<OccurrenceServiceServer>(OccurrenceServiceService, {
    listOccurrences: listOccurrences(dependencies),
  });
}
