import type { Storage } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { registry } from '../api.ts';
import { useLive } from '../live.ts';
import { Mark } from '../parts/mark.tsx';
import { Page } from '../parts/page.tsx';
import { Table } from '../parts/table.tsx';
import { Ago } from '../parts/time.tsx';
import { bytes } from '../quantities.ts';
import { pathOf } from '../shell.ts';

const EVERY_MS = 15_000;

export function StoragesPage() {
  const live = useLive('storages', async (signal) => (await registry.listStorages({}, { signal })).storages, EVERY_MS);
  const { data } = live;
  return (
    <Page
      title="Storages"
      live={live}
      loading="storages"
      same={[{ method: 'GET', path: '/storages', tidemark: ['storage', 'list'] }]}
    >
      {data.value && (
        <Table
          label="Storages"
          rows={data.value}
          keyOf={({ id }) => id}
          empty="No storage is registered yet."
          columns={[
            {
              name: 'Storage',
              cell: ({ id, gone }) => (
                <>
                  <a href={pathOf(['storages', id])}>{id}</a>{' '}
                  {gone && <Mark word={{ name: 'gone', text: 'Gone', tone: 'bad' }} />}
                </>
              ),
            },
            { name: 'Where', cell: (storage) => <code>{placeOf(storage)}</code> },
            {
              name: 'At once',
              cell: ({ maxConcurrent }) => (maxConcurrent === 0 ? 'no limit' : maxConcurrent),
              isNumber: true,
            },
            { name: 'Who may use it', cell: (storage) => usersOf(storage) },
            { name: 'In its bin', cell: ({ bin, trashDays }) => binOf(bin, trashDays) },
            { name: 'Changed', cell: ({ updateTime }) => <Ago at={updateTime} /> },
          ]}
        />
      )}
    </Page>
  );
}

/** As `br` writes the address, without any secret. */
export function placeOf({ location }: Pick<Storage, 'location'>): string {
  switch (location.case) {
    case 'local':
      return location.value.path;
    case 's3':
      return join('s3', location.value.bucket, location.value.prefix);
    case 'azure':
      return join('azure', location.value.container, location.value.prefix);
    case 'gcs':
      return join('gcs', location.value.bucket, location.value.prefix);
    default:
      return '';
  }
}

const join = (scheme: string, bucket: string, prefix: string) =>
  `${scheme}://${[bucket, prefix].filter(Boolean).join('/')}`;

export function usersOf({ usableBy }: Pick<Storage, 'usableBy'>): string {
  if (!usableBy) return 'all clusters';
  const labels = Object.entries(usableBy.labels).map(([key, value]) => `${key}=${value}`);
  return [...usableBy.clusters, ...(labels.length > 0 ? [`all with ${labels.join(', ')}`] : [])].join(', ');
}

export function binOf(bin: Storage['bin'], trashDays: number): string {
  if (bin && bin.backups > 0n) return `${bin.backups} backups, ${bytes(bin.sizeBytes)}`;
  return trashDays > 0 ? `nothing; kept ${trashDays} days` : 'it has none';
}
