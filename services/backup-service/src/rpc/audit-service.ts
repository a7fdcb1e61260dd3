import { type AuditServiceServer, AuditServiceService } from '@tidemark/protocol/grpc/tidemark/backup/v1/audit_service';
import { bindService, type Handlers, type ServiceBinding } from '@tidemark/service-kit/grpc/bind-service';
import type { Dependencies } from './context.ts';
import { listAuditEntries } from './list-audit-entries.ts';
import { recordAuditEntries } from './record-audit-entries.ts';

/** Who changed what. */
export function auditService(dependencies: Dependencies): ServiceBinding {
  const handlers: Handlers<AuditServiceServer> = {
    listAuditEntries: listAuditEntries(dependencies),
    recordAuditEntries: recordAuditEntries(dependencies),
  };
  // Entries that a gateway catches up on hold up no call of people.
  return bindService(AuditServiceService, handlers, { group: 'audit' });
}
