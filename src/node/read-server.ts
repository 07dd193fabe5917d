/** The server of `/masa/read/1.0.0`, over this node's ledger. */
import { ok, refuse, type Result } from '../base/result.ts';
import { read, readServer } from '../net/read.ts';
import { DEFAULT_EXCHANGE_LIMITS } from '../net/exchange.ts';
import { validatorTarget, type NetworkedCore } from './core.ts';
import { asked } from './asked.ts';
import { HeadStatements } from './head-statements.ts';
import { ReadService } from './read-service.ts';

const ASK_STATEMENT_DEADLINE_MS = 2_000;

export function readServiceOf(core: NetworkedCore): ReadService {
  const { context, ledger, nowMs, pool, scheme, seat } = core;
  const statements = new HeadStatements({
    context,
    nowMs,
    verifier: pool,
    signer: seat === null ? null : { index: seat.index, sign: (preimage) => scheme.sign(seat.blsSecretKey, preimage) },
    head: () => ledger.log.head(),
    ask: (index) => askStatement(core, index),
  });
  return new ReadService(ledger, statements);
}

/** @returns how to close it */
export async function startReadServer(
  { config, host }: NetworkedCore,
  reads: ReadService,
): Promise<() => Promise<void>> {
  const perPeerPerSecond = config.limits.readsPerSecondPerPeer;
  const inAllPerSecond = Math.max(DEFAULT_EXCHANGE_LIMITS.requests.inAllPerSecond, perPeerPerSecond);
  const limits = { requests: { perPeerPerSecond, inAllPerSecond } };
  const server = readServer({ host, handler: reads.handle, limits });
  await server.start();
  return () => server.stop();
}

async function askStatement(core: NetworkedCore, index: number): Promise<Result<Uint8Array>> {
  const deadline = { deadlineMs: ASK_STATEMENT_DEADLINE_MS };
  const answer = await asked(read(core.host, validatorTarget(core, index), { kind: 'headStatements' }, deadline));
  if (!answer.ok) return answer;
  const [statement] = answer.value;
  return statement === undefined ? refuse('answer-invalid', 'the validator sent no statement') : ok(statement);
}
