import { openChannel } from '@tidemark/service-kit/grpc/client';
import { serviceMetadata } from '@tidemark/service-kit/grpc/credentials';
import { SIGHT } from '@tidemark/service-kit/grpc/metadata-names';

interface Method {
  readonly path: string;
  requestSerialize(request: never): Buffer;
  responseDeserialize(bytes: Buffer): object;
}

/** What a call came to. */
export interface Called {
  /** Of gRPC: 0 is OK, 5 NOT_FOUND, 7 PERMISSION_DENIED. */
  readonly code: number;
  /** What the service said of the sight. */
  readonly told: unknown;
}

/** Makes a call for a caller who sees these clusters alone: their ids with commas, or `*`. */
export async function callWithSight(address: string, method: Method, request: object, sight: string): Promise<Called> {
  const channel = openChannel(address, undefined);
  try {
    return await new Promise((resolve) => {
      const metadata = serviceMetadata(undefined);
      metadata.set(SIGHT, sight);
      const { path, requestSerialize, responseDeserialize } = method;
      let told: unknown;
      channel
        .makeUnaryRequest(path, requestSerialize, responseDeserialize, request as never, metadata, (error) =>
          resolve({ code: error?.code ?? 0, told }),
        )
        .on('metadata', (answered) => (told = answered.get(SIGHT)[0]));
    });
  } finally {
    channel.close();
  }
}
