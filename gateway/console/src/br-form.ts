/** Options of `br` as people edit them. Pure. */
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { BrOptions, BrOptionsSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';

export interface BrForm {
  /** In MiB/s and TiKV; 0 is not set, like in the next one. */
  readonly rateLimit: number;
  readonly concurrency: number;
  readonly compression: string;
  /** A rule a line. */
  readonly filters: string;
  readonly checksum: '' | 'true' | 'false';
  readonly crypterMethod: string;
  readonly crypterKeyFile: string;
  /** A flag a line, without dashes, as in `gcttl=3600`. */
  readonly extra: string;
}

export const COMPRESSIONS = ['zstd', 'lz4', 'snappy'] as const;
export const CRYPTERS = ['aes128-ctr', 'aes192-ctr', 'aes256-ctr'] as const;

/** None is set. */
export const NO_BR: BrForm = {
  rateLimit: 0,
  concurrency: 0,
  compression: '',
  filters: '',
  checksum: '',
  crypterMethod: '',
  crypterKeyFile: '',
  extra: '',
};

export function brFormOf(stored: BrOptions | undefined): BrForm {
  if (!stored) return NO_BR;
  const { rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, extra } = stored;
  return {
    ...{ rateLimit, concurrency, compression, crypterMethod, crypterKeyFile },
    filters: filters.join('\n'),
    checksum: checksum === undefined ? '' : checksum ? 'true' : 'false',
    extra: Object.entries(extra)
      .map(([name, value]) => `${name}=${value}`)
      .join('\n'),
  };
}

/** What is set, as the body of REST and the protobufs both have it; nothing where nothing is. */
export function brOptionsOf(form: BrForm): MessageInitShape<typeof BrOptionsSchema> | undefined {
  const filters = linesOf(form.filters);
  const extra = Object.fromEntries(linesOf(form.extra).map(flagOf));
  const options = {
    ...(form.rateLimit > 0 && { rateLimit: form.rateLimit }),
    ...(form.concurrency > 0 && { concurrency: form.concurrency }),
    ...(form.compression !== '' && { compression: form.compression }),
    ...(filters.length > 0 && { filters }),
    ...(form.checksum !== '' && { checksum: form.checksum === 'true' }),
    ...(form.crypterMethod !== '' && { crypterMethod: form.crypterMethod }),
    ...(form.crypterKeyFile !== '' && { crypterKeyFile: form.crypterKeyFile }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
  return Object.keys(options).length > 0 ? options : undefined;
}

/** A flag without a value is `true`, as for `br` itself. */
function flagOf(line: string): readonly [string, string] {
  const at = line.indexOf('=');
  return at < 0 ? [line, 'true'] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
