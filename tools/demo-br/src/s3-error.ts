import { networkErrorText } from './network-error.ts';

/** What BR's S3 client says about a failed request (br-contract 8.2, 14.22), made from what ours says. */

interface Request {
  /** As Go writes it, such as `Head`. */
  readonly method: string;
  readonly endpoint: string | undefined;
  readonly bucket: string;
  readonly key: string;
}

interface VendorError {
  readonly name?: string;
  readonly message?: string;
  readonly Code?: string;
  readonly $metadata?: {
    readonly httpStatusCode?: number;
    readonly requestId?: string;
    readonly extendedRequestId?: string;
  };
  readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> };
}

/** Names for statuses whose answers have no body: those to HEAD. */
const BODILESS: Readonly<Record<number, string>> = {
  301: 'BucketRegionError',
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
};

const NO_CREDENTIALS =
  'NoCredentialProviders: no valid providers in chain. Deprecated.\n\tFor verbose messaging see aws.Config.CredentialsChainVerboseErrors';

const statusOf = (error: VendorError): number | undefined =>
  error.$metadata?.httpStatusCode ?? error.$response?.statusCode;

/** Whether an answer says that there is no such object or bucket. */
export function isMissingObject(error: unknown): boolean {
  return statusOf(error as VendorError) === 404;
}

/** The status and the bucket's region of an error's answer, where S3 said them. */
export function regionInError(error: unknown): { status: number | undefined; name: string | undefined } | undefined {
  const vendorError = error as VendorError;
  return { status: statusOf(vendorError), name: vendorError.$response?.headers?.['x-amz-bucket-region'] };
}

/** The text of an error; several lines, as the real one's. */
export function s3ErrorText(error: unknown, { method, endpoint, bucket, key }: Request): string {
  const vendorError = error as VendorError;
  const base = (endpoint ?? 'https://s3.amazonaws.com').replace(/\/+$/, '');
  const network = networkErrorText(error, new URL(base).host);
  if (network !== undefined) {
    const url = `${base}/${bucket}${key === '' ? '' : `/${key}`}`;
    return `RequestError: send request failed\ncaused by: ${method} "${url}": ${network}`;
  }
  if (vendorError.name === 'CredentialsProviderError') return NO_CREDENTIALS;
  const status = statusOf(vendorError);
  if (status === undefined) return vendorError.message ?? String(error);
  const bare = method === 'Head' ? BODILESS[status] : undefined;
  const name = bare ?? vendorError.Code ?? vendorError.name;
  const { requestId = '', extendedRequestId = '' } = vendorError.$metadata ?? {};
  const ids = `request id: ${requestId}, host id: ${extendedRequestId}`;
  return `${name}: ${bare ?? vendorError.message}\n\tstatus code: ${status}, ${ids}`;
}
