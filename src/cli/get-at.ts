/** `hotledger get --at`: a record as it was at a height, from the node on this machine, checked like any other answer. */
import { codedError, refuse, unwrap } from '../base/result.ts';
import { trustGenesis } from '../ledger/trusted-chain.ts';
import { verifyRead, type ReaderTrust } from '../ledger/verified-read.ts';
import { readReport, type ReadReport } from '../node/read-report.ts';
import { loadDefaultScheme } from '../qc/default-scheme.ts';
import { unverified } from './exit.ts';
import { networkOf, type NetworkChoice } from './network-choice.ts';
import type { NodeChoice } from './options.ts';
import { withOwnLedger } from './own-ledger.ts';
import type { Terminal } from './terminal.ts';

/** @throws CodedError `height-not-served`, `blocks-pruned`, `usage`; and with exit code 3 what does not hold */
export async function getAt(
  peerId: string,
  height: number,
  options: NetworkChoice &
    NodeChoice & { readonly maxAge?: number; readonly via?: unknown; readonly trust: ReaderTrust },
  terminal: Terminal,
): Promise<ReadReport> {
  if (options.from !== undefined || options.via !== undefined || options.maxAge !== undefined) {
    throw codedError('usage', '--at is asked of the node on this machine: leave --from, --via and --max-age away');
  }
  const { genesis } = await networkOf(options, terminal);
  const { scheme } = await loadDefaultScheme();
  const trusted = unwrap(trustGenesis(genesis, scheme));
  const answer = await withOwnLedger(options, terminal, (ledger) => ledger.at(peerId, height));
  const read = verifyRead(answer, trusted, { scheme, peerId, nowMs: Date.now(), trust: options.trust });
  if (!read.ok) throw unverified(read.refusal);
  if (read.value.height !== height) {
    const details = { height: read.value.height, asked: height };
    throw unverified(
      refuse('answer-of-another-height', 'the answer is about another height than was asked', details).refusal,
    );
  }
  const { chainId, validators } = trusted;
  const { parameters } = genesis;
  // Whether it was active is a question about then.
  const nowMs = read.value.timestamp * 1000;
  return readReport(read.value, 'the node on this machine', { chainId, validators, parameters, nowMs });
}
