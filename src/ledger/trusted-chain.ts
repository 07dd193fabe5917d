/**
 * What a reader trusts before it has read anything, and how that trust moves from one epoch's validators to the next.
 */
import { bytes, struct, type Shape } from '../base/codec.ts';
import { ZERO_HASH, type Hash } from '../base/hash.ts';
import { ok, refuse, type Result } from '../base/result.ts';
import { certificateShape, genesisCertificate, verifyCertificate, type QuorumCertificate } from '../qc/certificate.ts';
import type { SignatureScheme } from '../qc/scheme.ts';
import { decodeValidatorSet, makeValidatorSet, type ValidatorSet } from '../qc/validator-set.ts';
import { chainIdOf, type Genesis } from './genesis.ts';
import { genesisState } from './genesis-state.ts';

export interface TrustedChain {
  readonly chainId: string;
  /** Of the epoch that the reader starts from. */
  readonly validators: ValidatorSet;
  /** Of the chain's first block. Asked only for an answer at that block: it takes about 20 us a genesis record. */
  readonly genesisBlockId: () => Hash;
}

/** The certificate that commits an epoch's last block, and the validators that its commit info names by their digest. */
export interface EpochProof {
  readonly certificate: QuorumCertificate;
  /** `encodeValidatorSet` of the next epoch's set. */
  readonly validators: Uint8Array;
}

export const epochProofShape: Shape<EpochProof> = struct<EpochProof>({
  certificate: certificateShape,
  validators: bytes(32 * 1024),
});

/** Trust in a genesis, as an operator hands it out. Refusals: those of `makeValidatorSet`. */
export function trustGenesis(genesis: Genesis, scheme: SignatureScheme): Result<TrustedChain> {
  const validators = makeValidatorSet(0, genesis.validators, scheme);
  if (!validators.ok) return validators;
  let genesisBlockId: Hash | undefined;
  return ok({
    chainId: chainIdOf(genesis),
    validators: validators.value,
    genesisBlockId: () => (genesisBlockId ??= genesisState(genesis).block.id),
  });
}

/**
 * Walks from the trusted validators to those of `epoch`: one proof an epoch, each certified by the validators before.
 *
 * Refusals: `epoch-behind`, `epoch-unproven`, `epoch-proof-invalid`, those of `verifyCertificate` and
 * `decodeValidatorSet`.
 */
export function validatorsOfEpoch(
  trusted: TrustedChain,
  epoch: number,
  proofs: readonly EpochProof[],
  scheme: SignatureScheme,
): Result<ValidatorSet> {
  const from = trusted.validators.epoch;
  if (epoch < from) {
    return refuse('epoch-behind', 'the answer is of an epoch before the one that the reader trusts', { epoch, from });
  }
  if (proofs.length !== epoch - from) {
    return refuse('epoch-unproven', 'the answer proves another number of epochs than lie between', {
      epoch,
      from,
      proofs: proofs.length,
    });
  }
  let validators = trusted.validators;
  for (const proof of proofs) {
    const next = nextValidators(trusted.chainId, validators, proof, scheme);
    if (!next.ok) return next;
    validators = next.value;
  }
  return ok(validators);
}

function nextValidators(
  chainId: string,
  validators: ValidatorSet,
  proof: EpochProof,
  scheme: SignatureScheme,
): Result<ValidatorSet> {
  const { epoch } = validators;
  const digest = proof.certificate.vote.commit?.nextValidatorSet ?? null;
  if (digest === null) {
    return refuse('epoch-proof-invalid', 'the certificate does not end an epoch', { epoch });
  }
  // A genesis certificate commits nothing, so it does not get here, whatever constant it would be compared with.
  const context = { chainId, validators, genesis: genesisCertificate(epoch, ZERO_HASH) };
  const verified = verifyCertificate(proof.certificate, context, scheme);
  if (!verified.ok) return verified;
  const next = decodeValidatorSet(proof.validators, digest);
  if (next.ok && next.value.epoch !== epoch + 1) {
    return refuse('epoch-proof-invalid', 'the next validators are not of the next epoch', {
      epoch,
      next: next.value.epoch,
    });
  }
  return next;
}
