import { AppError } from '@tidemark/errors/app-error';
import { bindService, type Handlers, type ServiceBinding } from '../grpc/bind-service.ts';

/** Binds what a test needs of a service; all else is refused. */
export function bindPart<Server>(
  definition: Parameters<typeof bindService>[0],
  handlers: Partial<Handlers<Server>>,
): ServiceBinding {
  const refuse = () => {
    throw new AppError('internal', 'not part of this test');
  };
  const refusals = Object.fromEntries(Object.keys(definition).map((method) => [method, refuse]));
  return bindService<Server>(definition, { ...refusals, ...handlers } as Handlers<Server>);
}
