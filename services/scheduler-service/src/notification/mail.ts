/** One mail to a receiver, over a connection to the address that was looked at. */
import { connect } from 'node:net';
import { raceAbort } from '@tidemark/service-kit/abort';
import { createTransport } from 'nodemailer';
import { type Network, pinnedLookup } from './addresses.ts';
import type { MailServer } from './decide/receiver.ts';

export interface Mail {
  readonly subject: string;
  readonly text: string;
  /** The same at each try, so that a mailbox can tell a repeat. */
  readonly messageId: string;
}

export interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * Sends a mail; it is taken once the server has all of it.
 *
 * @returns how many of the addresses the server refused; not all of them
 * @throws NoAddress, or what nodemailer throws: its words may hold those of the server
 */
export async function sendMail(
  { host, port, security, from, to }: MailServer,
  { subject, text, messageId }: Mail,
  login: Login | undefined,
  networks: readonly Network[],
  signal: AbortSignal,
): Promise<number> {
  const lookup = await pinnedLookup(host, networks, signal);
  signal.throwIfAborted();
  const bare = host.replace(/^\[|\]$/g, '');
  using stack = new DisposableStack();
  const socket = stack.adopt(connect({ host: bare, port, lookup }), (open) => void open.destroy());
  // What is not waited for any more must not bring the process down.
  socket.on('error', () => undefined);
  const abandon = () => void socket.destroy(new Error('It took too long.'));
  signal.addEventListener('abort', abandon);
  stack.defer(() => signal.removeEventListener('abort', abandon));
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('The connection was closed.')));
  });
  const transport = createTransport({
    host: bare,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(login && { auth: { user: login.user, pass: login.password } }),
    disableFileAccess: true,
    disableUrlAccess: true,
    getSocket: (_, answer) => answer(null, { connection: socket }),
  });
  stack.defer(() => transport.close());
  // By RFC 3834: nobody's absence note answers it.
  const headers = { 'Auto-Submitted': 'auto-generated' };
  const message = { from, to: [...to], subject, text, messageId, headers };
  const { rejected } = await raceAbort(transport.sendMail(message), signal);
  return rejected.length;
}
