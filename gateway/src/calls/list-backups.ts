import { create } from '@bufbuild/protobuf';
import { ListBackupsResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { listBackups as listAll } from './lists.ts';
import { checkPageToken } from './page-token.ts';
import { requireOnlyCluster } from './require-cluster.ts';
import { setPage } from './set-page.ts';
import type { Steps } from './steps.ts';

export const listBackups: Steps<'listBackups'> = {
  check: checkPageToken,
  prepare: setPage,
  async act(request, acting) {
    const found = create(ListBackupsResponseSchema, await listAll(request, acting.scope, acting.dependencies));
    // A cluster that was never there is told apart from one without backups (must-not C15).
    if (found.total === 0n && !found.totalLeftOut) await requireOnlyCluster(acting);
    return found;
  },
};
