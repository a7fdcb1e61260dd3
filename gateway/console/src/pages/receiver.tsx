import { useSignal } from '@preact/signals';
import {
  type Delivery,
  DeliveryState,
  type Receiver,
  type ReceiverStatus,
} from '@tidemark/protocol/connect/tidemark/scheduler/v1/notification_service';
import { useLocation, useRoute } from 'preact-iso';
import { notifications } from '../api.ts';
import { useLive } from '../live.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { Mark } from '../parts/mark.tsx';
import { Facts, Page, Section, WholeFleetPage } from '../parts/page.tsx';
import { Pager } from '../parts/pager.tsx';
import { Trouble } from '../parts/problem.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, At } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { anything } from '../query.ts';
import { clustersOf, DELIVERY_STATES, KINDS, SEVERITIES, topicsOf, whereOf } from '../receiver-words.ts';
import { mayAdminister, seesAll } from '../session.ts';
import { pathOf, type Same } from '../shell.ts';
import { wordOf } from '../words.ts';

const EVERY_MS = 5_000;
const TAKEN = { after: anything };
const PAGE = 50;
/** A receiver that hangs is left after 20 seconds. */
const TEST_MS = 30_000;

const sameAs = (id: string): readonly Same[] => [
  { method: 'GET', path: pathOf(['notifications', id]), tidemark: ['notification', 'get', id] },
  { method: 'POST', path: `${pathOf(['notifications', id])}/test`, tidemark: ['notification', 'test', id] },
];

export function ReceiverPage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  return (
    <WholeFleetPage title={`Receiver ${id}`} same={sameAs(id)}>
      <ReceiverOf key={id} id={id} />
    </WholeFleetPage>
  );
}

function ReceiverOf({ id }: { readonly id: string }) {
  const live = useLive(id, (signal) => notifications.getReceiver({ id }, { signal }), EVERY_MS);
  const { route } = useLocation();
  const tested = useSignal<Delivery | undefined>(undefined);
  const isDeleting = useSignal(false);
  const testing = useAct();
  const test = () =>
    testing.run(async () => {
      tested.value = undefined;
      tested.value = (await notifications.testReceiver({ id }, { timeoutMs: TEST_MS })).delivery;
    });
  const { receiver, status } = live.data.value ?? {};
  const mayChange = mayAdminister.value && seesAll.value;
  return (
    <Page
      title={`Receiver ${id}`}
      live={live}
      loading="the receiver"
      actions={
        receiver &&
        mayChange && (
          <>
            <button type="button" class="primary" disabled={testing.isBusy.value} onClick={test}>
              {testing.isBusy.value ? 'Trying …' : 'Try it'}
            </button>
            <button type="button" class="danger quiet" onClick={() => (isDeleting.value = true)}>
              Delete …
            </button>
          </>
        )
      }
      same={sameAs(id)}
      taken={TAKEN}
    >
      <Trouble problem={testing.problem.value} />
      {tested.value && <Tested delivery={tested.value} />}
      {receiver && status && <Standing receiver={receiver} status={status} />}
      {receiver && <Deliveries id={id} />}
      {isDeleting.value && (
        <Confirm
          title="Delete this receiver?"
          verb="Delete"
          typed={id}
          isDestructive
          same={[{ method: 'DELETE', path: pathOf(['notifications', id]), tidemark: ['notification', 'delete', id] }]}
          act={() => notifications.deleteReceiver({ id })}
          onDone={() => route('/notifications')}
          onClose={() => (isDeleting.value = false)}
        >
          <p>What waits for it is dropped, and it hears of nothing any more.</p>
        </Confirm>
      )}
    </Page>
  );
}

function Tested({ delivery: { state, trouble } }: { readonly delivery: Delivery }) {
  return state === DeliveryState.DELIVERED ? (
    <p class="note good" role="status">
      It took a test.
    </p>
  ) : (
    <p class="note bad" role="status">
      It did not take a test: {trouble}
    </p>
  );
}

interface StandingProps {
  readonly receiver: Receiver;
  readonly status: ReceiverStatus;
}

function Standing({ receiver, status }: StandingProps) {
  const { kind, leastSeverity, digest, everySeconds, template, paused, updateTime, updatedBy } = receiver;
  const { waiting, waitingSince, deliveredTime, trouble } = status;
  return (
    <>
      {trouble !== '' && <p class="note warn">{trouble}</p>}
      {paused && <p class="note">It is paused, and gets nothing.</p>}
      <Facts
        of={[
          ['Kind', KINDS.get(kind) ?? 'not known'],
          ['Where', <code key="w">{whereOf(receiver)}</code>],
          ['Secrets', receiver.secrets?.source.value ?? 'none'],
          ['Clusters', clustersOf(receiver)],
          ['Told of', topicsOf(receiver)],
          ['From', <Mark key="s" word={wordOf(SEVERITIES, leastSeverity)} />],
          ['Digest', digest ? `each day at ${digest.hour}:00 ${digest.timeZone}` : 'none'],
          ['Template', template === '' ? 'the plain text' : <code key="t">{template}</code>],
          ...(everySeconds > 0 ? [['Beats', `every ${everySeconds} s`] as const] : []),
          [
            'Waits',
            waiting === 0 ? (
              'nothing'
            ) : (
              <span key="n">
                {waiting}, since <At at={waitingSince} />
              </span>
            ),
          ],
          ['Took one', deliveredTime ? <Ago key="d" at={deliveredTime} /> : 'never'],
          [
            'Changed',
            <span key="c">
              <Ago at={updateTime} /> by {updatedBy}
            </span>,
          ],
        ]}
      />
    </>
  );
}

/** What was and is to be delivered to it, newest first. */
function Deliveries({ id }: { readonly id: string }) {
  const query = useQuery();
  const live = useLive(
    `${id} ${query.text}`,
    (signal) =>
      notifications.listDeliveries({ receiverId: id, pageSize: PAGE, pageToken: query.get('after') ?? '' }, { signal }),
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Section title="What it was sent" live={live}>
      {data.value && (
        <>
          <Table
            label="What it was sent"
            rows={data.value.deliveries}
            keyOf={({ eventId }) => eventId}
            empty="Nothing has happened yet that it is to be told of."
            columns={[
              { name: 'When', cell: ({ eventTime }) => <At at={eventTime} /> },
              { name: 'How urgent', cell: ({ severity }) => <Mark word={wordOf(SEVERITIES, severity)} /> },
              { name: 'What', cell: ({ text }) => text },
              {
                name: 'Cluster',
                cell: ({ clusterId }) =>
                  clusterId ? <a href={pathOf(['clusters', clusterId])}>{clusterId}</a> : <span class="muted">–</span>,
              },
              {
                name: 'State',
                cell: ({ state, tries, trouble }) => (
                  <>
                    <Mark word={wordOf(DELIVERY_STATES, state)} />{' '}
                    {trouble && (
                      <span class="muted">
                        {trouble} ({tries} {tries === 1 ? 'try' : 'tries'})
                      </span>
                    )}
                  </>
                ),
              },
            ]}
          />
          <Pager next={data.value.nextPageToken} />
        </>
      )}
    </Section>
  );
}
