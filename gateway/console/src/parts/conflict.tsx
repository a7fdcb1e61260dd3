import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { differences, type PlanForm } from '../plan-form.ts';
import { Dialog } from './dialog.tsx';
import { Table } from './table.tsx';
import { localTime } from './time.tsx';

/** A rule that somebody else saved meanwhile. */
export interface Conflict {
  readonly by: string;
  readonly at: Timestamp | undefined;
  /** At which it is now. */
  readonly revision: bigint;
  readonly theirs: PlanForm;
}

interface ConflictProps {
  readonly conflict: Conflict;
  readonly mine: PlanForm;
  /** Saves what is in the form. */
  readonly onMine: () => void;
  /** Puts what is stored into the form. */
  readonly onTheirs: () => void;
  readonly onClose: () => void;
}

/** Says who saved the same rule, and shows both. */
export function ConflictDialog({ conflict: { by, at, theirs }, mine, onMine, onTheirs, onClose }: ConflictProps) {
  return (
    <Dialog title="Somebody else saved this rule meanwhile" onClose={onClose}>
      <form method="dialog">
        <p>
          <b>{by || 'Somebody'}</b> saved it{at && ` at ${localTime(timestampMs(at))}`}. Nothing of yours is saved yet.
        </p>
        <Table
          label="What differs"
          rows={differences(theirs, mine)}
          keyOf={({ name }) => name}
          empty="Both say the same."
          columns={[
            { name: 'Field', cell: ({ name }) => name },
            { name: 'Stored now', cell: (one) => one.theirs },
            { name: 'Yours', cell: (one) => one.mine },
          ]}
        />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Go on editing
          </button>
          <button type="button" onClick={onTheirs}>
            Take what is stored
          </button>
          <button type="button" class="danger" onClick={onMine}>
            Save mine over it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
