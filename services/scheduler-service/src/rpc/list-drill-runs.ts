import { invalidArgument } from '@tidemark/errors/app-error';
import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
import {
  Drill,
  type ListDrillRunsRequest,
  type ListDrillRunsResponse,
  DrillRun as RunMessage,
} from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable, readOne } from '@tidemark/service-kit/quarantine';
import type { DrillRunState } from '../drill/decide/run.ts';
import { RUN_STATES, toDrillMessage, toRunMessage } from '../drill/drill-message.ts';
import { toRunScope } from '../drill/drill-store.ts';
import type { DrillDependencies } from './drill-context.ts';

/** A page of what became of the windows of a drill, newest first, and the drill itself. Runs that cannot be read are left out. */
export function listDrillRuns({ drills, quarantines, now }: DrillDependencies) {
  return async (
    { clusterId, states, pageSize, pageToken }: ListDrillRunsRequest,
    { signal, timeLeftMs }: CallContext,
  ): Promise<ListDrillRunsResponse> => {
    const wanted = (Object.keys(RUN_STATES) as DrillRunState[]).filter((state) => states.includes(RUN_STATES[state]));
    const filter = { clusterId, states: wanted };
    const wish = { page: 1, pageSize: pageSize || DEFAULT_PAGE_SIZE, pageToken, withoutTotal: true };
    const asked = askedPage(wish, { scope: toRunScope(filter), exactTotal: 0, timeLeftMs: timeLeftMs() });
    if (asked.violations.length > 0) throw invalidArgument(asked.violations);
    const [page, found] = await Promise.all([
      drills.listRuns(filter, asked.wish, now(), signal),
      drills.get(clusterId, signal),
    ]);
    const shown = readable(quarantines.listedDrillRuns, page.rows, toRunMessage, RunMessage);
    const messages = fitting(
      shown.map(({ message }) => message),
      RunMessage,
    );
    const last = messages.length < shown.length ? shown[messages.length - 1]?.record : undefined;
    const { followingPageToken } = asked.answer(
      page,
      last && { at: last.opensAt, id: last._id, number: page.rows.indexOf(last) + 1 },
    );
    const drill = found && readOne('drill', found, toDrillMessage, Drill);
    return { runs: messages, nextPageToken: followingPageToken, drill };
  };
}
