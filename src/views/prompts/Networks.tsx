import type { NetworkNode } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';
import type { Facts } from '../../state/facts.ts';
import { networkState } from '../../state/loraActions.ts';
import { loraUsage, usedEmbeddings } from '../../state/reading.ts';

import { diffusersToken } from '../../tokens/diffusersToken.ts';
import { useFacts } from '../page/useFacts.ts';
import styles from './prompts.module.css';

const kinds: Readonly<Record<string, string>> = {
  lora: 'LoRA',
  lyco: 'LoRA',
  hypernet: 'Hypernetwork',
  embedding: 'Textual inversion',
};

const notLoaded = 'Not encoded, and not loaded here: the numbers are those of the model without it.';

/** Lists the LoRAs and embeddings that a prompt names. */
export function Networks({ side, networks }: { readonly side: Side; readonly networks: readonly NetworkNode[] }) {
  const used = useFacts(usedEmbeddings);
  const embeddings = useFacts((s) => s.embeddings);
  const loras = useFacts((s) => s.loras);
  const usage = useFacts(loraUsage);
  return (
    <ul className={styles.networks} aria-label={`Named in the ${side === 'positive' ? 'prompt' : 'negative prompt'}`}>
      {networks.map((node) => {
        const { kind, name, args, start } = node;
        const rest = args.filter((arg) => arg !== name).join(', ');
        const { text, help } =
          kind === 'embedding'
            ? embeddingState(name, used, embeddings)
            : { text: networkState(node, side, loras, usage.has(name)), help: undefined };
        return (
          <li key={start}>
            {kinds[kind] ?? kind} <b>{name}</b>
            {rest && ` ${rest}`}
            <span className="muted">
              {' '}
              · {text}
              {help && `. ${help}`}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function embeddingState(name: string, used: Facts['embeddings'], all: Facts['embeddings']) {
  // ComfyUI tries the name with its commas first; in Compel the name is diffusers' token.
  const bare = name.replace(/^,+|,+$/g, '');
  const isMeant = (embedding: Facts['embeddings'][number]) =>
    embedding.name === name || embedding.name === bare || diffusersToken(embedding) === name;
  const found = used.find(isMeant);
  if (found) return { text: 'loaded', help: `Its vectors stand in ${found.vectors.length} rows of the input.` };
  return all.some(isMeant)
    ? { text: 'not used', help: 'Loaded, but made for an encoder of another width.' }
    : { text: 'not loaded', help: notLoaded };
}
