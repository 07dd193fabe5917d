/** Reading a genesis file, and turning a registration as it is exchanged into the genesis' own form. */
import { z } from 'zod';
import { fromHex } from '../base/bytes.ts';
import { CodedError, ok, refuse, type Result } from '../base/result.ts';
import { parseGenesis, type Genesis, type GenesisValidator } from '../ledger/genesis.ts';
import { normaliseAddresses } from '../ledger/multiaddrs.ts';
import { readTextFile } from './text-file.ts';

const registrationFile = z.strictObject({
  peerId: z.string().max(64),
  blsPublicKey: z.string().length(96),
  proofOfPossession: z.string().length(192),
  multiaddrs: z.array(z.string().max(256)).max(16),
});

/** @throws CodedError `genesis-not-found`, `file-unusable`, or what the genesis itself is refused for */
export async function readGenesisFile(path: string): Promise<Genesis> {
  const text = await readTextFile(path, {
    code: 'genesis-not-found',
    message: `there is no genesis file ${path}; whoever runs the network hands it out`,
    details: { path },
  });
  const genesis = parseGenesis(text);
  if (!genesis.ok) {
    throw new CodedError({ ...genesis.refusal, message: `${path}: ${genesis.refusal.message}` });
  }
  return genesis.value;
}

/** Refusals: `registration-invalid`, and those of addresses. The proof of possession is checked where the validator set is made. */
export function genesisValidatorOf(value: unknown): Result<GenesisValidator> {
  const parsed = registrationFile.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return refuse('registration-invalid', `the registration's ${issue?.path.join('.') || 'JSON'} is not valid`, {
      reason: issue?.message ?? '',
    });
  }
  const { peerId } = parsed.data;
  const multiaddrs = normaliseAddresses(peerId, parsed.data.multiaddrs);
  if (!multiaddrs.ok) return multiaddrs;
  const blsPublicKey = fromHex(parsed.data.blsPublicKey);
  const proofOfPossession = fromHex(parsed.data.proofOfPossession);
  if (blsPublicKey === undefined || proofOfPossession === undefined) {
    return refuse('registration-invalid', "the registration's keys are not in lowercase hex digits", { peerId });
  }
  return ok({ peerId, blsPublicKey, proofOfPossession, multiaddrs: multiaddrs.value });
}
