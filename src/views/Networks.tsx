import type { NetworkNode } from '../prompt/ast.ts';
import type { Facts } from '../state/facts.ts';
import { usedEmbeddings } from '../state/selectors.ts';
import { useFacts } from './useFacts.ts';

const kinds: Readonly<Record<string, string>> = {
  lora: 'LoRA',
  lyco: 'LoRA',
  hypernet: 'Hypernetwork',
  embedding: 'Textual inversion',
};

const notLoaded = 'Not encoded, and not loaded here: the numbers are those of the model without it.';

/** What a prompt names besides its text. */
export function Networks({ networks }: { networks: readonly NetworkNode[] }) {
  const used = useFacts(usedEmbeddings);
  const embeddings = useFacts((s) => s.embeddings);
  return (
    <ul className="networks" aria-label="Named in the prompt">
      {networks.map(({ kind, name, args, start }) => {
        const rest = args.filter((arg) => arg !== name).join(', ');
        const state = kind === 'embedding' ? embeddingState(name, used, embeddings) : null;
        return (
          <li key={start} title={state?.help ?? notLoaded}>
            {kinds[kind] ?? kind} <b>{name}</b>
            {rest && ` ${rest}`}
            {state && <span className="muted"> {state.text}</span>}
          </li>
        );
      })}
    </ul>
  );
}

function embeddingState(name: string, used: Facts['embeddings'], all: Facts['embeddings']) {
  // ComfyUI tries the name with its commas first.
  const bare = name.replace(/^,+|,+$/g, '');
  const isMeant = (embedding: Facts['embeddings'][number]) => embedding.name === name || embedding.name === bare;
  const found = used.find(isMeant);
  if (found) return { text: 'loaded', help: `Its vectors stand in ${found.vectors.length} rows of the input.` };
  return all.some(isMeant)
    ? { text: 'not used', help: 'Loaded, but made for an encoder of another width.' }
    : { text: 'not loaded', help: notLoaded };
}
