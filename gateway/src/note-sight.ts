/**
 * Notes whether a service looks at the sight of its callers, as each answer of it says. A copy of an earlier version does not,
 * and its answers do not say so: then the gateway looks at a record before it passes a call about it on. While copies of both
 * versions answer side by side, a call might meet the earlier one just after an answer of the later, which is why an upgrade
 * takes the services first and the gateway last (docs/security.md).
 */
import type { Transport } from '@connectrpc/connect';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { HONORED, SIGHT } from '@tidemark/service-kit/grpc/metadata-names';

export function noteSight(transport: Transport): {
  readonly transport: Transport;
  readonly honorsSight: () => boolean;
} {
  let isHonored = false;
  return {
    transport: {
      async unary(...call) {
        const response = await transport.unary(...call);
        // Those of other services of the process say nothing about it.
        if (response.service.typeName === BackupService.typeName) isHonored = response.header.get(SIGHT) === HONORED;
        return response;
      },
      stream: transport.stream,
    },
    honorsSight: () => isHonored,
  };
}
