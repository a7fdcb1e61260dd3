import { MAX_AUDIT_BATCH } from '@tidemark/limits/limits';
import type {
  RecordAuditEntriesRequest,
  RecordAuditEntriesResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/audit_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { toStoredEntry } from '../audit-entry.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** Keeps entries of the gateway's audit; a repeat changes nothing. */
export function recordAuditEntries({ audit, now }: Pick<Dependencies, 'audit' | 'now'>) {
  return async (
    { entries }: RecordAuditEntriesRequest,
    { signal }: CallContext,
  ): Promise<RecordAuditEntriesResponse> => {
    const check = validation();
    check.require(entries.length <= MAX_AUDIT_BATCH, 'entries', `must be at most ${MAX_AUDIT_BATCH}`);
    for (const [index, { id, time }] of entries.slice(0, MAX_AUDIT_BATCH).entries()) {
      check.id(`entries[${index}].id`, id);
      check.require(time !== undefined, `entries[${index}].time`, 'must be set');
    }
    check.finish();
    const at = now();
    await audit.add(
      entries.map((entry) => toStoredEntry(entry, at)),
      signal,
    );
    return {};
  };
}
