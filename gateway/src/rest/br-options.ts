import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  MAX_CONCURRENCY,
  MAX_FILTERS,
  MAX_QUOTED_NAME,
  MAX_RATE_LIMIT,
  MAX_TEXT,
  MAX_VIOLATIONS,
} from '@tidemark/limits/limits';
import type { BrOptions, BrOptionsSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { z } from 'zod';
import type { BrOptionsView } from './operations/br-options.ts';
import { leftOut, wholeNumber } from './validate.ts';

const text = (what: string) =>
  leftOut(z.string('must be a text').max(MAX_TEXT, `must be at most ${MAX_TEXT} characters`)).describe(what);

const FIELDS =
  'it has rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, and extra for other flags';

/** The options of `br` in a body: of a cluster, or of one backup. What each may be is the service's to say. */
export const BrOptionsBody = z
  .strictObject(
    {
      rateLimit: leftOut(wholeNumber(0, MAX_RATE_LIMIT)).describe('MiB per second and TiKV node; 0 is unlimited.'),
      concurrency: leftOut(wholeNumber(0, MAX_CONCURRENCY)).describe(
        `Threads per TiKV node, at most ${MAX_CONCURRENCY}; 0 leaves it to \`br\`.`,
      ),
      compression: text('`zstd`, `lz4` or `snappy`.'),
      filters: z
        .array(z.string('must be a table filter'), 'must be a list of table filters')
        .max(MAX_FILTERS, `must be at most ${MAX_FILTERS}`)
        .nullish()
        .describe('Table filters such as `shop.*`, at most 100 and 8 KiB together; none means everything.'),
      checksum: z.boolean('must be true or false').nullish().describe('Whether `br` checks what it wrote.'),
      crypterMethod: text('`aes128-ctr`, `aes192-ctr` or `aes256-ctr`; together with `crypterKeyFile`.'),
      crypterKeyFile: text('Absolute name of a file on the worker that holds the key in hexadecimal.'),
      extra: z
        .record(
          z.string(),
          // Written as they mean it: {"gcttl": 3600, "ignore-stats": false}.
          z
            .union(
              [
                z.string().meta({ id: 'BrFlagText', title: 'a text' }),
                z.number().meta({ id: 'BrFlagNumber', title: 'a number' }),
                z.boolean().meta({ id: 'BrFlagSwitch', title: 'true or false' }),
              ],
              'must be a text, a number or true or false',
            )
            .meta({ id: 'BrFlagValue' })
            .transform(String),
          'must be an object of flags without dashes, such as {"gcttl": "3600"}',
        )
        .nullish()
        .describe('Further flags of `br` from an allow-list, without dashes, such as `{"gcttl": "3600"}`.'),
    },
    {
      error: ({ code, keys }) =>
        code === 'unrecognized_keys'
          ? `has no ${keys
              .slice(0, MAX_VIOLATIONS)
              .map((key) => key.slice(0, MAX_QUOTED_NAME))
              .join(', ')}: ${FIELDS}`
          : 'must be an object',
    },
  )
  .meta({ id: 'BrOptionsSettings' })
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
export function toBrOptionsView(options: BrOptions): BrOptionsView {
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
