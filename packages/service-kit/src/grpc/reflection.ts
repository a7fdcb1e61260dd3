/**
 * Server reflection (v1, and v1alpha for older tools) of all that a process serves. What it answers from is loaded when it
 * is first asked, since hardly any process ever is.
 */
import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import {
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionService,
} from '@tidemark/protocol/grpc/grpc/reflection/v1/reflection';

type Answers = (request: ServerReflectionRequest) => ServerReflectionResponse;

const { serverReflectionInfo: V1 } = ServerReflectionService;
/** Both versions are the same on the wire but for the name of the service. */
const V1_ALPHA = { ...V1, path: V1.path.replace('.v1.', '.v1alpha.') };

/** @param draining aborts as soon as the server is told to stop: streams end then */
export function addReflection(server: Server, served: readonly string[], draining: AbortSignal): void {
  let answers: Promise<Answers> | undefined;
  const converse = async (call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) => {
    const end = () => call.end();
    draining.addEventListener('abort', end, { once: true });
    try {
      answers ??= import('./reflection-answers.ts').then(({ reflectionAnswers }) => reflectionAnswers(served));
      const answer = await answers;
      // Not to be destroyed by what reads it to its end: its answers are still on their way.
      for await (const request of call.iterator({ destroyOnReturn: false }))
        if (!draining.aborted) call.write(answer(request));
      end();
    } catch (error) {
      call.emit('error', error); // to a caller that went away, nobody listens any more
    } finally {
      draining.removeEventListener('abort', end);
    }
  };
  for (const definition of [V1, V1_ALPHA])
    server.addService(
      { serverReflectionInfo: definition },
      {
        serverReflectionInfo: (call: ServerDuplexStream<ServerReflectionRequest, ServerReflectionResponse>) =>
          void converse(call),
      },
    );
}
