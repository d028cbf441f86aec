import type { Tokenizer } from '../../tokens/tokenizer.ts';
import { Merges } from './Merges.tsx';
import { Search } from './Search.tsx';
import './vocabulary.css';

export function Vocabulary({ tokenizer }: { tokenizer: Tokenizer }) {
  return (
    <div className="vocabulary">
      <Search tokenizer={tokenizer} />
      <Merges tokenizer={tokenizer} />
    </div>
  );
}
