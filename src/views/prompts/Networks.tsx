import type { NetworkNode } from '../../prompt/ast.ts';
import type { Side } from '../../prompt/side.ts';
import type { Syntax } from '../../prompt/syntax.ts';
import type { Facts } from '../../state/facts.ts';
import { networkState } from '../../state/loraActions.ts';
import { loraUsage, usedEmbeddings } from '../../state/reading.ts';
import { embeddingCalled } from '../../tokens/embeddingByName.ts';
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
  const syntax = useFacts((s) => s.options.syntax);
  return (
    <ul className={styles.networks} aria-label={`Named in the ${side === 'positive' ? 'prompt' : 'negative prompt'}`}>
      {networks.map((node) => {
        const { kind, name, args, start } = node;
        const rest = args.filter((arg) => arg !== name).join(', ');
        const { text, help } =
          kind === 'embedding'
            ? embeddingState(name, syntax, used, embeddings)
            : { text: networkState(node, side, loras, usage), help: undefined };
        return (
          <li key={start}>
            {Object.hasOwn(kinds, kind) ? kinds[kind] : kind} <b>{name}</b>
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

function embeddingState(name: string, syntax: Syntax, used: Facts['embeddings'], all: Facts['embeddings']) {
  const found = embeddingCalled(name, syntax, used);
  if (found) return { text: 'loaded', help: `Its vectors stand in ${found.vectors.length} rows of the input.` };
  return embeddingCalled(name, syntax, all)
    ? { text: 'not used', help: 'Loaded, but made for an encoder of another width.' }
    : { text: 'not loaded', help: notLoaded };
}
