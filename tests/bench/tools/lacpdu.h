/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A partner for LACP that agrees with all that it hears: for the module "port", and for "inject". The slow rate is
 * its own: it wants an LACPDU every 30 seconds.
 */

/* Octets of a frame (IEEE 802.1AX-2014, 6.4.2.3). */
#define LACPDU_FRAME	124
#define LACPDU_SOURCE	6
#define LACPDU_TYPE	12
#define LACPDU_ACTOR	18
#define LACPDU_PARTNER	38
#define LACPDU_INFO	15
#define INFO_STATE	14

#define STATE_SYNC	0x08
/* Active, aggregates, in sync, collects, distributes. */
#define STATE_AGREES	0x3d

static bool is_lacpdu(const unsigned char *frame, unsigned int size)
{
	return size >= LACPDU_FRAME && frame[LACPDU_TYPE] == 0x88 && frame[LACPDU_TYPE + 1] == 0x09 &&
	       frame[LACPDU_TYPE + 2] == 1;
}

/* Turns an LACPDU into the answer of this port of the partner. */
static void answer_lacpdu(unsigned char *frame, unsigned int number, unsigned char state)
{
	const unsigned char actor[LACPDU_INFO] = {
		0, 100, 0x02, 0, 0, 0, 0, 0xaa, 0, 7, 0, 200, number >> 8, number, state,
	};
	static const unsigned char source[6] = { 0x02, 0, 0, 0, 0xee, 0x02 };

	memcpy(frame + LACPDU_SOURCE, source, sizeof(source));
	memcpy(frame + LACPDU_PARTNER, frame + LACPDU_ACTOR, LACPDU_INFO);
	memcpy(frame + LACPDU_ACTOR, actor, LACPDU_INFO);
}
