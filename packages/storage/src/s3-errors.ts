/** What an error of a store that speaks like S3 means. */
import type { S3Location } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

/** The name that S3 gives to an error. */
export const codeOf = (error: unknown) => (error instanceof Error ? error.name : '');

/** The status of an answer that is an error. */
export function statusOf(error: unknown): number | undefined {
  const { $metadata, $response } = error as {
    $metadata?: { httpStatusCode?: number };
    // What the answer of a store was that could not be read as one of S3.
    $response?: { statusCode?: number };
  };
  return $metadata?.httpStatusCode ?? $response?.statusCode;
}

/** Not the bucket, which has the same status. */
export function isAbsent(error: unknown): boolean {
  return statusOf(error) === 404 && codeOf(error) !== 'NoSuchBucket';
}

/** A request that a store does not take, now or later; 408 and 429 are trouble that passes. */
export function isRefused(error: unknown): boolean {
  const status = statusOf(error) ?? 0;
  return status === 501 || (status >= 400 && status < 500 && status !== 408 && status !== 429);
}

/** What people can do about an error; undefined where it may pass or nothing is known of it. */
export function explain(
  error: unknown,
  { bucket, region, endpoint, roleArn, storageClass }: S3Location,
): string | undefined {
  const code = codeOf(error);
  const place = endpoint === '' ? 'Amazon S3' : endpoint;
  const status = statusOf(error);
  switch (code) {
    case 'NoSuchBucket':
      return `The bucket ${bucket} is not there (${place}): make it, or correct the storage.`;
    case 'CredentialsProviderError':
    case 'TokenProviderError':
      return `This worker has no credentials for the bucket ${bucket}: give it keys or a role, or name their source in the storage.`;
    case 'InvalidAccessKeyId':
    case 'InvalidClientTokenId':
    case 'SignatureDoesNotMatch':
    case 'InvalidToken':
    case 'ExpiredToken':
    case 'UnrecognizedClientException':
      return `${place} refuses the credentials for the bucket ${bucket} (${code}): correct them where the storage says that they are.`;
    case 'PermanentRedirect':
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
      return `The bucket ${bucket} is not in the region "${region || 'us-east-1'}" (${code}): correct the region of the storage.`;
    case 'RequestTimeTooSkewed':
      return `The clock of this worker is wrong, so ${place} refuses its requests: set it.`;
    case 'InvalidStorageClass':
      return `${place} knows no storage class "${storageClass}" for the bucket ${bucket}: correct the storage.`;
    case 'InvalidObjectState':
      return `Files of the storage class "${storageClass}" cannot be read in the bucket ${bucket} before they were restored from the archive: a backup could not be verified; name another class in the storage.`;
    case 'InvalidBucketName':
      return `"${bucket}" is no name of a bucket: correct the storage.`;
  }
  if (code === 'AccessDenied' || status === 401 || status === 403) {
    const role = roleArn === '' ? '' : ` with the role ${roleArn}`;
    return `Access to the bucket ${bucket}${role} is denied (${code}): allow it s3:ListBucket, GetObject, PutObject, DeleteObject and AbortMultipartUpload.`;
  }
  if (status === 301) return `The bucket ${bucket} is in another region: correct the region of the storage.`;
  return undefined;
}
