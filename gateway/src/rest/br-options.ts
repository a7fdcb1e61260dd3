import type { MessageInitShape } from '@bufbuild/protobuf';
import type { BrOptions, BrOptionsSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { z } from 'zod';
import { leftOut, wholeNumber } from './validate.ts';

const text = leftOut(z.string('must be a text').max(1_024, 'must be at most 1024 characters'));
const MOST = 4_294_967_295;
const MOST_CONCURRENCY = 256;

const FIELDS =
  'it has rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, and extra for other flags';

/** The options of `br` in a body: of a cluster, or of one backup. What each may be is the service's to say. */
export const BrOptionsBody = z
  .strictObject(
    {
      rateLimit: leftOut(wholeNumber(0, MOST)),
      concurrency: leftOut(wholeNumber(0, MOST_CONCURRENCY)),
      compression: text,
      filters: z.array(z.string('must be a table filter'), 'must be a list of table filters').nullish(),
      checksum: z.boolean('must be true or false').nullish(),
      crypterMethod: text,
      crypterKeyFile: text,
      extra: z
        .record(
          z.string(),
          // Written as they mean it: {"gcttl": 3600, "ignore-stats": false}.
          z.union([z.string(), z.number(), z.boolean()], 'must be a text, a number or true or false').transform(String),
          'must be an object of flags without dashes, such as {"gcttl": "3600"}',
        )
        .nullish(),
    },
    {
      error: ({ code, keys }) =>
        code === 'unrecognized_keys'
          ? `has no ${keys.map((key) => key.slice(0, 64)).join(', ')}: ${FIELDS}`
          : 'must be an object',
    },
  )
  .nullish();

/** As a message; nothing when the body has none. */
export function toBrOptions(body: z.infer<typeof BrOptionsBody>): MessageInitShape<typeof BrOptionsSchema> | undefined {
  if (!body) return undefined;
  const { filters, checksum, extra, ...fields } = body;
  return {
    ...fields,
    filters: filters ?? [],
    extra: extra ?? {},
    ...(typeof checksum === 'boolean' && { checksum }),
  };
}

/** As people see them. */
export function toBrOptionsView(options: BrOptions): object {
  const { rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, extra } = options;
  return {
    rateLimit,
    concurrency,
    compression,
    filters,
    ...(checksum !== undefined && { checksum }),
    ...(crypterMethod !== '' && { crypterMethod, crypterKeyFile }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}
