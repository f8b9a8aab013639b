//go:build !purego

#include "textflag.h"

// SHA-1 (RFC 3174) with the processor's instructions for it, which take four
// rounds at a time.
//
// X0 is the state a b c d, a on top. X1 and X2 take turns to be e and what is
// made of a for the next four rounds. X3 to X6 are sixteen words of the message.

// The state to start with: d c b a, and e on top of nothing.
DATA start<>+0(SB)/8, $0x98badcfe10325476
DATA start<>+8(SB)/8, $0x67452301efcdab89
DATA start<>+16(SB)/8, $0
DATA start<>+24(SB)/8, $0xc3d2e1f000000000
GLOBL start<>(SB), RODATA|NOPTR, $32

// Turns the bytes of a register around.
DATA reverse<>+0(SB)/8, $0x08090a0b0c0d0e0f
DATA reverse<>+8(SB)/8, $0x0001020304050607
GLOBL reverse<>(SB), RODATA|NOPTR, $16

// What the version and the variant of RFC 9562 leave of a sum, and what they are.
DATA keep<>+0(SB)/8, $0xff0fffffffffffff
DATA keep<>+8(SB)/8, $0xffffffffffffff3f
GLOBL keep<>(SB), RODATA|NOPTR, $16

DATA version<>+0(SB)/8, $0x0050000000000000
DATA version<>+8(SB)/8, $0x0000000000000080
GLOBL version<>(SB), RODATA|NOPTR, $16

DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
DATA nibble<>+8(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $16

DATA digits<>+0(SB)/8, $"01234567"
DATA digits<>+8(SB)/8, $"89abcdef"
GLOBL digits<>(SB), RODATA|NOPTR, $16

// ROUNDS is four rounds with the function f and the words w. It uses e up.
#define ROUNDS(f, e, next, w) \
	SHA1NEXTE w, e       \
	MOVO      X0, next   \
	SHA1RNDS4 $f, e, X0

// SCHEDULE makes in w0 the words of the rounds sixteen later.
#define SCHEDULE(w0, w1, w2, w3) \
	SHA1MSG1 w1, w0 \
	PXOR     w2, w0 \
	SHA1MSG2 w3, w0

#define BOTH(f, e, next, w0, w1, w2, w3) \
	ROUNDS(f, e, next, w0) \
	SCHEDULE(w0, w1, w2, w3)

// func sum(to *[36]byte, text *byte, blocks int)
TEXT ·sum(SB), NOSPLIT, $0-24
	MOVQ  to+0(FP), DI
	MOVQ  text+8(FP), SI
	MOVQ  blocks+16(FP), CX
	MOVOU reverse<>(SB), X7
	MOVOU start<>+0(SB), X0
	MOVOU start<>+16(SB), X1

block:
	MOVO   X0, X8
	MOVO   X1, X9
	MOVOU  0(SI), X3
	MOVOU  16(SI), X4
	MOVOU  32(SI), X5
	MOVOU  48(SI), X6
	PSHUFB X7, X3
	PSHUFB X7, X4
	PSHUFB X7, X5
	PSHUFB X7, X6

	// The first four rounds take e as it is.
	PADDL     X3, X1
	MOVO      X0, X2
	SHA1RNDS4 $0, X1, X0
	SCHEDULE(X3, X4, X5, X6)
	BOTH(0, X2, X1, X4, X5, X6, X3)
	BOTH(0, X1, X2, X5, X6, X3, X4)
	BOTH(0, X2, X1, X6, X3, X4, X5)
	BOTH(0, X1, X2, X3, X4, X5, X6)
	BOTH(1, X2, X1, X4, X5, X6, X3)
	BOTH(1, X1, X2, X5, X6, X3, X4)
	BOTH(1, X2, X1, X6, X3, X4, X5)
	BOTH(1, X1, X2, X3, X4, X5, X6)
	BOTH(1, X2, X1, X4, X5, X6, X3)
	BOTH(2, X1, X2, X5, X6, X3, X4)
	BOTH(2, X2, X1, X6, X3, X4, X5)
	BOTH(2, X1, X2, X3, X4, X5, X6)
	BOTH(2, X2, X1, X4, X5, X6, X3)
	BOTH(2, X1, X2, X5, X6, X3, X4)
	BOTH(3, X2, X1, X6, X3, X4, X5)
	ROUNDS(3, X1, X2, X3)
	ROUNDS(3, X2, X1, X4)
	ROUNDS(3, X1, X2, X5)
	ROUNDS(3, X2, X1, X6)

	SHA1NEXTE X9, X1
	PADDL     X8, X0
	ADDQ      $64, SI
	DECQ      CX
	JNZ       block

	// The first 16 bytes of the sum, version 5 of the variant 10.
	PSHUFB X7, X0
	MOVOU  keep<>(SB), X1
	PAND   X1, X0
	MOVOU  version<>(SB), X1
	POR    X1, X0

	// Its digits: the first sixteen in X3, the others in X4.
	MOVOU     nibble<>(SB), X2
	MOVO      X0, X1
	PSRLW     $4, X1
	PAND      X2, X1
	PAND      X2, X0
	MOVO      X1, X2
	PUNPCKLBW X0, X1
	PUNPCKHBW X0, X2
	MOVOU     digits<>(SB), X3
	MOVO      X3, X4
	PSHUFB    X1, X3
	PSHUFB    X2, X4

	MOVQ   X3, 0(DI)
	MOVB   $'-', 8(DI)
	PEXTRD $2, X3, 9(DI)
	MOVB   $'-', 13(DI)
	PEXTRD $3, X3, 14(DI)
	MOVB   $'-', 18(DI)
	PEXTRD $0, X4, 19(DI)
	MOVB   $'-', 23(DI)
	PEXTRD $1, X4, 24(DI)
	PEXTRQ $1, X4, 28(DI)
	RET
