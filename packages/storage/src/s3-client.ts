/** How stores that speak like S3 are spoken to: addresses, checksums, and where keys and roles are from. */
import { createHash } from 'node:crypto';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import {
  fromHttp,
  fromIni,
  fromNodeProviderChain,
  fromTemporaryCredentials,
  fromTokenFile,
} from '@aws-sdk/credential-providers';
import type { S3Location } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import type { Credentials } from './credentials.ts';

/** BR does not speak to these with the bucket in the path (br-contract 2.3). */
const VIRTUAL_HOST_PROVIDERS = ['alibaba', 'netease'];
const CONNECT_MS = 5_000;

/** A client of a bucket’s store, with the credentials that the storage names. */
export function createS3Client(location: S3Location, credentials: Credentials, answerMs: number, env: Env): S3Client {
  const region = location.region || 'us-east-1';
  const config: S3ClientConfig = {
    region,
    ...(location.endpoint && { endpoint: location.endpoint }),
    forcePathStyle: !VIRTUAL_HOST_PROVIDERS.includes(location.provider) && (location.forcePathStyle ?? true),
    // Many stores that speak like S3 do not know the newer checksums.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      requestTimeout: answerMs,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent({ keepAlive: true, proxyEnv: env }),
      httpsAgent: new HttpsAgent({ keepAlive: true, proxyEnv: env }),
    },
    credentials: provideCredentials(location, region, credentials),
  };
  const client = new S3Client(config);
  // The same stores want this one, which the library has left behind, for deletions.
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const { request } = args as { request?: { headers: Record<string, string>; body?: unknown } };
        if (commandName === 'DeleteObjectsCommand' && typeof request?.body === 'string') {
          for (const name of Object.keys(request.headers))
            if (/^x-amz-(sdk-)?checksum-/i.test(name)) delete request.headers[name];
          request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64');
        }
        return next(args);
      },
    { step: 'build', priority: 'low', name: 'contentMd5' },
  );
  return client;
}

/** What the variables name, without looking at those of this process; its own chain where they name nothing. */
function provideCredentials(location: S3Location, region: string, credentials: Credentials) {
  const own = provideOwn(credentials);
  if (!location.roleArn) return own;
  // Stores other than Amazon give roles away where they keep files.
  const elsewhere = location.endpoint !== '' && !/\.amazonaws\.com(\.cn)?(:\d+)?\/?$/.test(location.endpoint);
  return fromTemporaryCredentials({
    masterCredentials: own,
    params: {
      RoleArn: location.roleArn,
      RoleSessionName: 'tidemark',
      ...(location.externalId && { ExternalId: location.externalId }),
    },
    clientConfig: { region, ...(elsewhere && { endpoint: location.endpoint }) },
  });
}

function provideOwn(credentials: Credentials) {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    AWS_WEB_IDENTITY_TOKEN_FILE: webIdentityTokenFile,
    AWS_ROLE_ARN: roleArn,
    AWS_ROLE_SESSION_NAME: roleSessionName,
    AWS_PROFILE: profile,
    AWS_SHARED_CREDENTIALS_FILE: filepath,
    AWS_CONFIG_FILE: configFilepath,
    AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: awsContainerCredentialsRelativeUri,
    AWS_CONTAINER_CREDENTIALS_FULL_URI: awsContainerCredentialsFullUri,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: awsContainerAuthorizationToken,
    AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: awsContainerAuthorizationTokenFile,
  } = credentials;
  if (accessKeyId && secretAccessKey)
    return async () => ({ accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) });
  if (webIdentityTokenFile && roleArn)
    return fromTokenFile({ webIdentityTokenFile, roleArn, ...(roleSessionName && { roleSessionName }) });
  if (profile || filepath || configFilepath)
    return fromIni({
      ...(profile && { profile }),
      ...(filepath && { filepath }),
      ...(configFilepath && { configFilepath }),
    });
  if (awsContainerCredentialsRelativeUri || awsContainerCredentialsFullUri) {
    return fromHttp({
      ...(awsContainerCredentialsRelativeUri && { awsContainerCredentialsRelativeUri }),
      ...(awsContainerCredentialsFullUri && { awsContainerCredentialsFullUri }),
      ...(awsContainerAuthorizationToken && { awsContainerAuthorizationToken }),
      ...(awsContainerAuthorizationTokenFile && { awsContainerAuthorizationTokenFile }),
    });
  }
  return fromNodeProviderChain();
}
